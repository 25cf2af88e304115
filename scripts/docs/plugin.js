// What TypeDoc does for this project beside what it does by itself: members in groups, errors as a list.
import { takeApart } from "./comments.js";
import { groupOf } from "./groups.js";

/** @import { Part } from "./comments.js" */
/** @typedef {{ tag: string, content: Part[] }} Tag */
/** @typedef {{ blockTags: Tag[] }} Comment */
/**
 * @typedef {object} Reflection
 * @property {string} name
 * @property {Comment} [comment]
 * @property {Reflection} [parent]
 * @property {Reflection[]} [signatures]
 * @property {Reflection} [getSignature]
 * @property {(kinds: number) => boolean} kindOf
 */
/**
 * @typedef {object} Application
 * @property {{ warn(text: string): void }} logger
 * @property {{ on(event: string, act: (context: { project: { reflections: Record<string, Reflection> } }) => void, priority?: number): void }} converter
 */

// Of TypeDoc's ReflectionKind.
const CLASS = 128;
const INTERFACE = 256;
const CONSTRUCTOR = 512;
const METHOD = 2048;
const ACCESSOR = 262144;

/** @param {Application} app */
export function load(app) {
  app.converter.on("resolveBegin", ({ project }) => {
    const all = Object.values(project.reflections);
    OwnTag = /** @type {typeof OwnTag} */ (
      all.flatMap(commentsOf).find(({ blockTags }) => blockTags.length > 0)?.blockTags[0]?.constructor
    );
    for (const reflection of all) {
      for (const comment of commentsOf(reflection)) listErrors(comment);
      if (
        !reflection.kindOf(CONSTRUCTOR | METHOD | ACCESSOR) ||
        !reflection.parent?.kindOf(CLASS | INTERFACE)
      )
        continue;
      const group = groupOf(reflection.name);
      if (group === undefined) {
        app.logger.warn(`no group for ${reflection.parent.name}.${reflection.name}: scripts/docs/groups.js`);
        continue;
      }
      for (const comment of commentsOf(reflection)) {
        comment.blockTags.push(newTag("@group", [{ kind: "text", text: group }]));
      }
    }
  });
}

/** @param {Reflection} reflection */
function commentsOf({ comment, signatures = [], getSignature }) {
  const all = [comment, ...signatures.map((signature) => signature.comment), getSignature?.comment];
  return [...new Set(all.filter((each) => each !== undefined))];
}

/** @param {Comment} comment */
function listErrors(comment) {
  const at = comment.blockTags.findIndex(({ tag }) => tag === "@returns");
  const returns = comment.blockTags[at];
  if (returns === undefined) return;
  const { text, heading, errors, source } = takeApart(returns.content);
  if (errors.length === 0 && source.length === 0) return;
  /** @type {Tag[]} */
  const tags = [];
  if (text.length > 0) tags.push(newTag("@returns", text));
  if (errors.length > 0) {
    /** @type {Part[]} */
    const list =
      heading === "" ? [] : [{ kind: "text", text: `${heading[0]?.toUpperCase()}${heading.slice(1)}:\n\n` }];
    for (const error of errors)
      list.push({ kind: "text", text: "- " }, ...error, { kind: "text", text: "\n" });
    tags.push(newTag("@errors", list));
  }
  if (source.length > 0) tags.push(newTag("@source", source));
  comment.blockTags.splice(at, 1, ...tags);
}

/**
 * A tag of TypeDoc's own class, which it does not export to a plugin that lives elsewhere.
 *
 * @param {string} tag
 * @param {Part[]} content
 * @returns {Tag}
 */
function newTag(tag, content) {
  if (OwnTag === undefined) throw new Error("no comment has a tag");
  return new OwnTag(tag, content);
}

/** @type {(new (tag: string, content: Part[]) => Tag) | undefined} */
let OwnTag;
