// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A text as one line in which nothing acts on the terminal: breaks are `⏎`, other control characters `\u001b`. */
export function visible(text: string): string {
  return text.replace(/\r\n|\n/g, '⏎').replace(UNSEEN, (character) => {
    if (character === '\t') return ' ';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
