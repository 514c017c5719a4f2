/** The element types that a screenplay is spread over, as rows and documents spell them. */
export const TYPE_NAMES = ['script', 'section', 'character', 'action', 'spokenWord'] as const;
export type TypeName = (typeof TYPE_NAMES)[number];

/** The types whose elements stand in the file one after another. */
export type BlockType = 'section' | 'action' | 'spokenWord';

/** What a block can be, and the sequence that it belongs to. */
export const TYPE_OF_KIND = {
  section: 'section',
  scene: 'section',
  dialogue: 'spokenWord',
  action: 'action',
  transition: 'action',
  centered: 'action',
  lyrics: 'action',
  note: 'action',
  synopsis: 'action',
  pageBreak: 'action',
  boneyard: 'action',
} as const satisfies Record<string, BlockType>;

export type BlockKind = keyof typeof TYPE_OF_KIND;

/** A piece of a speech: what is said, sung, or how. */
export interface Part {
  readonly kind: 'dialogue' | 'parenthetical' | 'lyrics';
  readonly text: string;
}

/** What a block says. */
export interface Meaning {
  readonly kind: BlockKind;
  /** Without the marks of the format; of a speech, what is said and sung. */
  readonly text: string;
  /** Of a section: 1 for `#`, 2 for `##`. */
  readonly depth?: number;
  /** Of a scene: what stands between `#` and `#` behind its heading. */
  readonly number?: string;
  /** Of a speech: who speaks, without `(O.S.)` and the like. */
  readonly character?: string;
  /** Of a speech: the name as it stands, where that is more than the character. */
  readonly cue?: string;
  /** Of a speech that is spoken at the same time as the one beside it. */
  readonly dual?: 'left' | 'right';
  /** Of a speech that is not just spoken text. */
  readonly parts?: readonly Part[];
}

/** What a block says, and all else that is needed to write it back as it was. */
export interface Body extends Meaning {
  /** The block as it stands in the file, where that is not what `compose` makes of its meaning. */
  readonly source?: string;
  /** The number of blank lines before it, where that is not 1. */
  readonly blank?: number;
}

/** A line `Key: value` of a title page. */
export interface TitleEntry {
  readonly key: string;
  readonly text: string;
}

/** The script itself. */
export interface ScriptBody {
  readonly kind: 'script';
  /** The title; empty where there is none. */
  readonly text: string;
  readonly titlePage?: readonly TitleEntry[];
  /** The title page as it stands in the file, where that is not what `composeTitlePage` makes of it. */
  readonly source?: string;
}

/** Something that stands in the file by itself. */
export interface Block {
  readonly body: Body;
  /** The line in the file that it begins on, from 1. */
  readonly line: number;
}

/** A screenplay as a file holds it. */
export interface Screenplay {
  readonly script: ScriptBody;
  readonly blocks: readonly Block[];
}

/** A fault of a file, and where it is. */
export interface Fault {
  readonly line: number;
  readonly text: string;
}

/** The file is not a screenplay that can be imported. */
export class FountainError extends Error {
  override readonly name = 'FountainError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults.map(({ line, text }) => `line ${line}: ${text}`).join('\n'));
    this.faults = faults;
  }
}
