// Loaded before each test file on Windows and under Wine: skips the tests that unproven.cjs names, each with its reason.
const { syncBuiltinESMExports } = require("node:module");
const nodeTest = require("node:test");
const { rulesFor } = require("./unproven.cjs");

/** net/tcp of .../net/tcp.test.js: a file stands in the folder of its layer, or in none. */
const [, folder, name] = /([^\\/]+)[\\/]([^\\/]+)\.test\.js$/.exec(process.argv[1] ?? "") ?? [];
const rules = name === undefined ? [] : [...rulesFor(`${folder}/${name}`), ...rulesFor(name)];

/**
 * @template {typeof nodeTest.test} Test
 * @param {Test} original
 * @returns {Test}
 */
function skipping(original) {
  /**
   * @param {string} testName
   * @param {any} options
   * @param {any} body
   */
  const wrapped = (testName, options, body) => {
    const reason = rules.find(([pattern]) => pattern.test(testName))?.[1];
    if (reason === undefined) return original(testName, options, body);
    return original(testName, { skip: reason }, () => {});
  };
  return Object.assign(wrapped, original);
}

nodeTest.test = skipping(nodeTest.test);
nodeTest.it = skipping(nodeTest.it);
syncBuiltinESMExports();
