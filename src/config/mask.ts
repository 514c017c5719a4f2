/** Keeps secrets out of what is printed. */

/** Stands for a value that is not shown. */
export const MASK = '********';

/** The text with the user part, the query and the fragment of a URL masked; rather too much than too little. */
export function maskCredentials(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, `$1${MASK}@`)
    .replace(/[?#].*$/s, (rest) => `${rest[0]}${MASK}`);
}

/** A text in double quotes for a message: one line, without control characters, cut at 80 characters. */
export function quote(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
