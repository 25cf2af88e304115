export default {
  cacheDirectory: "../../../build/jest",
  testMatch: ["**/jest*.test.cjs"],
  transform: {},
};
