/**
 * fast-check, for tests that make their inputs up. Where nobody looks on (CI=true) each run tries the same inputs, as Hypothesis does: whether a
 * change passes is up to the change. Other runs, and `make fuzz` in many rounds, try new ones, and a failure prints the seed and path of its input.
 */
import fc from "fast-check";

if (process.env.CI === "true") fc.configureGlobal({ seed: 20_261_126 });

export { fc };
