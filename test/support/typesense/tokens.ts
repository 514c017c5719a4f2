import type { Schema } from './schema.ts';

/**
 * The words of a text as Typesense indexes them and as its filters compare them: lower case, without accents, and
 * without any other symbol than those that the schema indexes. So `scope:=a-b` also matches `ab` and `A.B`.
 */
export function tokensOf(text: string, { symbolsToIndex, tokenSeparators }: Schema): string[] {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase();
  const words: string[] = [];
  let word = '';
  for (const symbol of plain) {
    if (/\s/u.test(symbol) || tokenSeparators.includes(symbol)) {
      if (word !== '') words.push(word);
      word = '';
    } else if (/[\p{Letter}\p{Number}]/u.test(symbol) || symbolsToIndex.includes(symbol)) word += symbol;
  }
  if (word !== '') words.push(word);
  return words;
}
