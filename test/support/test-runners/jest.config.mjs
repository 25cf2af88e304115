export default {
  cacheDirectory: "../../../build/jest",
  testMatch: ["**/jest.test.mjs"],
  transform: {},
};
