import { ElementType } from '../../client/src/index.ts';
import { quote } from '../config/mask.ts';
import { CommandError } from './command.ts';
import { TYPE_NAMES, type TypeName } from './fountain/model.ts';

/** The element types by the names that rows and documents have for them. */
export const ELEMENT_TYPES: Readonly<Record<TypeName, ElementType>> = {
  script: ElementType.SCRIPT,
  section: ElementType.SECTION,
  character: ElementType.CHARACTER,
  action: ElementType.ACTION,
  spokenWord: ElementType.SPOKEN_WORD,
};

/** The type that a person has named. */
export function typeNamed(name: string): TypeName {
  const type = TYPE_NAMES.find((one) => one.toLowerCase() === name.toLowerCase());
  if (type !== undefined) return type;
  throw new CommandError(`${quote(name)} is not an element type; there are ${TYPE_NAMES.join(', ')}`, 2);
}
