type Expect = (value: unknown) => never;

export const passing: { [name: string]: (expect: Expect) => void };
export const failing: { [name: string]: { run: (expect: Expect) => void; prints: string[] } };
