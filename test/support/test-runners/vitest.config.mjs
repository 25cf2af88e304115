export default {
  cacheDir: "../../../build/vitest",
  test: { include: ["vitest.test.mjs"] },
};
