import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSequenceClient, ElementType } from '../../client/src/index.ts';
import { sharedApp } from '../support/shared-app.ts';
import { playText } from './import-plays.ts';
import { contentsOf, exportText, importText, versionsOf } from './import-scope.ts';

const app = sharedApp();
const client = () => createSequenceClient({ url: app().url });
let scopes = 0;

const SCENES = ['KITCHEN', 'STAIRS', 'LAMP ROOM', 'KITCHEN'];
const scene = (at: number) =>
  `INT. ${SCENES[at % 4]}\n\nAction ${at} alpha.\n\nMARA\nLine ${at} of hers.\n\nCUT TO:\n\nTOM (O.S.)\nLine ${at} of his.\n`;
const PLAY = ['Title: Play\n', '# Act\n', ...[0, 1, 2, 3].map(scene)];
const text = (pieces: readonly string[]) => pieces.join('\n');

/** Imports one text over another and says what was sent; the scope then holds exactly the second one. */
async function edit(before: string, after: string) {
  const scope = `edit-${scopes++}`;
  await importText(client(), scope, before);
  const contents = await contentsOf(client(), scope);
  const sent = await importText(client(), scope, after);
  expect(await exportText(client(), scope)).toBe(after);
  expect(await importText(client(), scope, after)).toEqual({
    calls: 0,
    generated: 0,
    versions: 0,
    removed: 0,
    moved: 0,
  });
  return { scope, sent, contents };
}

describe('an edited file is imported again', () => {
  test('a scene in the middle', async () => {
    const after = [
      ...PLAY.slice(0, 4),
      'INT. NEW PLACE\n\nSomething new.\n\nMARA\nA new line.\n',
      ...PLAY.slice(4),
    ];
    const { sent, scope, contents } = await edit(text(PLAY), text(after));
    expect(sent).toEqual({ calls: 3, generated: 3, versions: 0, removed: 0, moved: 0 });
    const now = await contentsOf(client(), scope);
    for (const type of ['section', 'action', 'spokenWord'] as const)
      expect(now[type].filter(({ id }) => contents[type].some((old) => old.id === id))).toEqual(
        contents[type],
      );
  });

  test('a scene in the middle whose heading is there already', async () => {
    const after = [...PLAY.slice(0, 4), 'INT. LAMP ROOM\n\nSomething new.\n', ...PLAY.slice(4)];
    const { sent } = await edit(text(PLAY), text(after));
    expect(sent).toMatchObject({ generated: 2, versions: 0, removed: 0 });
  });

  test('a changed line is its next version', async () => {
    const { sent, scope } = await edit(
      text(PLAY),
      text(PLAY).replace('Line 2 of hers.', 'Line 2 is hers, changed.'),
    );
    expect(sent).toEqual({ calls: 1, generated: 0, versions: 1, removed: 0, moved: 0 });
    expect(await versionsOf(client(), scope, 'spokenWord')).toMatchObject({
      'Line 2 is hers, changed.': '5.2',
      'Line 2 of his.': '6.1',
    });
    const { versions } = await client().listVersions({
      scope,
      elementType: ElementType.SPOKEN_WORD,
      elementId: 5n,
      includeContent: true,
    });
    expect(versions.map(({ content }) => content?.['text'])).toEqual([
      'Line 2 is hers, changed.',
      'Line 2 of hers.',
    ]);
  });

  test('another heading is the next version of the scene, and nothing below changes', async () => {
    const { sent } = await edit(text(PLAY), text(PLAY).replace('INT. STAIRS', 'EXT. CLIFF'));
    expect(sent).toEqual({ calls: 1, generated: 0, versions: 1, removed: 0, moved: 0 });
  });

  test('an inserted line moves nothing and versions nothing', async () => {
    const { sent } = await edit(
      text(PLAY),
      text(PLAY).replace('Action 1 alpha.', 'Action 1 alpha.\n\nA gull.'),
    );
    expect(sent).toEqual({ calls: 1, generated: 1, versions: 0, removed: 0, moved: 0 });
  });

  test('a removed scene', async () => {
    const { sent } = await edit(text(PLAY), text(PLAY.toSpliced(3, 1)));
    expect(sent).toEqual({ calls: 5, generated: 0, versions: 0, removed: 5, moved: 0 });
  });

  test('a moved scene keeps its versions and contents', async () => {
    const moved = [...PLAY.slice(0, 2), PLAY[5]!, ...PLAY.slice(2, 5)];
    const { sent } = await edit(text(PLAY), text(moved));
    expect(sent).toMatchObject({ generated: 0, versions: 0, removed: 0, moved: 5 });
  });

  test('a line that goes to another scene gets a version, since its scene is another', async () => {
    const line = 'MARA\nLine 0 of hers.\n\n';
    const without = text(PLAY).replace(line, '');
    const { sent } = await edit(
      text(PLAY),
      without.replace('Action 3 alpha.\n\n', `Action 3 alpha.\n\n${line}`),
    );
    expect(sent).toMatchObject({ generated: 0, versions: 1, removed: 0 });
  });

  test('someone speaks earlier than before', async () => {
    const { sent, scope } = await edit(
      text(PLAY),
      text(PLAY).replace('MARA\nLine 0', 'INES\nOh!\n\nTOM\nNo.\n\nMARA\nLine 0'),
    );
    expect(sent).toMatchObject({ generated: 3, versions: 0, removed: 0 });
    const { character } = await contentsOf(client(), scope);
    expect(character.map(({ content }) => content['text'])).toEqual(['INES', 'TOM', 'MARA']);
  });

  test('another title', async () => {
    const { sent } = await edit(text(PLAY), text(PLAY).replace('Title: Play', 'Title: The Play'));
    expect(sent).toEqual({ calls: 1, generated: 0, versions: 1, removed: 0, moved: 0 });
  });

  test('any screenplay over any other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(playText, { minLength: 2, maxLength: 3 }), async (plays) => {
        const scope = `any-${scopes++}`;
        for (const play of plays) {
          await importText(client(), scope, play);
          const exported = await exportText(client(), scope);
          await importText(client(), `${scope}-alone`, play);
          expect(exported).toBe(await exportText(client(), `${scope}-alone`));
          expect(await importText(client(), scope, exported)).toMatchObject({ calls: 0 });
        }
      }),
      { numRuns: process.env['LONG'] ? 80 : 12 },
    );
  });
});

describe('what was changed by the API', () => {
  test('a moved line is exported where it is now, and another import moves it back', async () => {
    const scope = `api-${scopes++}`;
    const play = 'INT. A\n\nOne.\n\nTwo.\n\nThree.\n';
    await importText(client(), scope, play);
    await client().move({
      scope,
      elementType: ElementType.ACTION,
      elementId: 3n,
      target: { case: 'first', value: true },
    });
    expect(await exportText(client(), scope)).toBe('INT. A\n\nThree.\n\nOne.\n\nTwo.\n');
    expect(await importText(client(), scope, play)).toMatchObject({ moved: 1, generated: 0, removed: 0 });
    expect(await exportText(client(), scope)).toBe(play);
  });

  test('a moved scene takes along what is below it', async () => {
    const scope = `api-${scopes++}`;
    await importText(client(), scope, 'INT. A\n\nOne.\n\nEXT. B\n\nTwo.\n');
    await client().move({
      scope,
      elementType: ElementType.SECTION,
      elementId: 2n,
      target: { case: 'first', value: true },
    });
    expect(await exportText(client(), scope)).toBe('EXT. B\n\nTwo.\n\nINT. A\n\nOne.\n');
  });

  test('fields of others stay, and are no difference', async () => {
    const scope = `api-${scopes++}`;
    await importText(client(), scope, 'One.\n');
    const content = { kind: 'action', text: 'One.', scene: 0, line: 1, mood: 'grey' };
    const element = { scope, elementType: ElementType.ACTION, elementId: 1n };
    await client().createVersion({ ...element, content });
    expect(await importText(client(), scope, 'One.\n')).toMatchObject({ calls: 0 });
    await importText(client(), scope, 'One, two.\n');
    const { element: now } = await client().getElement(element);
    expect(now).toMatchObject({ versionNumber: 3, content: { text: 'One, two.', mood: 'grey' } });
  });

  test('elements of others are not touched', async () => {
    const scope = `api-${scopes++}`;
    await client().generate({ scope, elementType: ElementType.ACTION, elementId: 12n });
    await expect(importText(client(), scope, 'One.\n')).rejects.toThrow(
      'holds elements that no import has made: action 12; choose another scope',
    );
  });
});
