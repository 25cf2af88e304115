/** Records such as an interface of a program has, a megabyte of JSON of them. */
export const megabyte = Array.from({ length: 7600 }, (_, id) => ({
  id,
  name: `record number ${id}`,
  email: `someone.${id}@example.org`,
  active: id % 3 === 0,
  score: id / 7,
  tags: ["alpha", "beta"],
}));
