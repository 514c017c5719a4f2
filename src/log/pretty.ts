/** Turns a line of JSON into what is written. */
export type Format = (line: unknown) => string;

/** What is used of pino-pretty. */
export interface PrettyModule {
  prettyFactory(options: object): Format;
}

/** The format for people; undefined where pino-pretty is not installed. */
export function findPretty(load: () => PrettyModule, terminal: boolean): Format | undefined {
  try {
    const colorize = terminal && process.stdout.hasColors?.() === true;
    const print = load().prettyFactory({
      colorize,
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'service',
      singleLine: true,
    });
    return (line) => print(JSON.parse(String(line), visible));
  } catch {
    return undefined;
  }
}

/** A JSON reviver that shows control characters as JSON does, so that no text can steer a terminal or forge a line. */
function visible(key: string, value: unknown): unknown {
  if (typeof value === 'string') return key === 'stack' ? escapeControls(value) : onOneLine(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [onOneLine(name), inner]));
}

function onOneLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n');
}

/** Escapes all control characters but the line feed. JSON itself leaves DEL, C1 and the separators as they are; some terminals obey them. */
export function escapeControls(line: unknown): string {
  const text = String(line);
  return isPlain(text) ? text : escaped(text);
}

/** Whether there is nothing to escape: nearly always so, and found ten times as fast as by the pattern. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 ? code !== 0x0a : code > 0x7e) return false;
  }
  return true;
}

function escaped(text: string): string {
  return text.replace(
    /[^\P{Cc}\n]|[\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
