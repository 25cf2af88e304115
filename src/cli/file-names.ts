import { UsageError } from "./command.ts";

/**
 * The name that a URL's body is saved under: the last part of its path. What a file system or a shell could take otherwise becomes _, so
 * a URL never names a file outside the folder.
 */
export function fileNameOf(url: string): string {
  if (!URL.canParse(url)) throw new UsageError(`'${url}' is not a valid http or https URL`);
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  const name = decoded(last).replaceAll(/[\u0000-\u001f\u007f-\u009f/\\:*?"<>|]/g, "_");
  // Windows takes a dot or a blank off the end; . and .. are folders.
  const kept = name.replace(/[. ]+$/, "");
  if (kept === "") return "index.html";
  return DEVICE.test(kept) ? `_${kept}` : kept;
}

/** On Windows these are devices in every folder ("Naming Files, Paths, and Namespaces"). */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A name for each URL. Two of one name are wrong usage, because one would overwrite the other. */
export function fileNamesOf(urls: readonly string[]): string[] {
  const names = urls.map(fileNameOf);
  // Case does not tell files apart everywhere.
  const keys = names.map((name) => name.toLowerCase());
  const twice = keys.findIndex((key, at) => keys.indexOf(key) !== at);
  if (twice >= 0)
    throw new UsageError(`two URLs would be saved as ${names[twice]}: save one of them with -o FILE`);
  return names;
}
