import type { DescField, DescMessage, DescOneof, Message } from '@bufbuild/protobuf';
import { type FieldViolation, InvalidFieldError } from '../domain/errors.ts';
import { RULES, type Rule, repeated } from './rules.ts';

/** Throws InvalidFieldError, which names every field that breaks its rule. */
export type Validator = (message: Message) => void;

// An answer that lists thousands of faults would be larger than the request; these are enough to act on.
const MAX_VIOLATIONS = 32;

/**
 * Compiles the rules of a message, and of the messages in its lists, once.
 *
 * @returns undefined where the message has no rules
 */
export function compileValidator(desc: DescMessage, rules = RULES): Validator | undefined {
  const checks = compile(desc, rules);
  if (checks.length === 0) return undefined;
  return (message) => {
    const found: Faults = { violations: [], permutations: [] };
    for (const check of checks) check(message as unknown as Fields, '', found);
    const { violations, permutations } = found;
    if (violations.length > 0)
      throw new InvalidFieldError([...violations, ...permutations].slice(0, MAX_VIOLATIONS));
    if (permutations.length > 0)
      throw new InvalidFieldError(permutations.slice(0, MAX_VIOLATIONS), 'NOT_A_PERMUTATION');
  };
}

type Fields = Readonly<Record<string, unknown>>;

interface Faults {
  violations: FieldViolation[];
  permutations: FieldViolation[];
}

type Check = (message: Fields, path: string, found: Faults) => void;

/** The key of a message in {@link RULES}: its name without the package. */
export function ruleName(desc: DescMessage): string {
  return desc.typeName.slice(desc.file.proto.package.length + 1);
}

function compile(desc: DescMessage, rules: typeof RULES): Check[] {
  const own = rules[ruleName(desc)] ?? {};
  const checks = desc.members.flatMap((member) =>
    member.kind === 'oneof' ? checksOfOneof(member, own) : checksOfField(member, own[member.name], rules),
  );
  return checks;
}

function checksOfField(field: DescField, rule: Rule | undefined, rules: typeof RULES): Check[] {
  const { localName, name } = field;
  const checks: Check[] = [];
  if (rule)
    checks.push((message, path, found) => {
      const value = message[localName];
      if (value !== undefined) report(rule, value, message, path + name, found);
    });
  if (field.fieldKind === 'list' && field.listKind === 'message') {
    const items = compile(field.message, rules);
    if (items.length > 0)
      checks.push((message, path, found) => {
        const list = message[localName] as Fields[];
        list.forEach((item, index) => {
          for (const check of items) check(item, `${path}${name}[${index}].`, found);
        });
        if ('element_id' in (rules[ruleName(field.message)] ?? {}))
          reportRepeated(list, path + name, rules, field.message, found);
      });
  }
  return checks;
}

function checksOfOneof(oneof: DescOneof, own: Readonly<Record<string, Rule>>): Check[] {
  const checks: Check[] = [];
  const whole = own[oneof.name];
  const byCase = new Map(
    oneof.fields.map((field) => [field.localName, { name: field.name, rule: own[field.name] }]),
  );
  checks.push((message, path, found) => {
    const set = message[oneof.localName] as { case: string | undefined; value?: unknown };
    if (whole) report(whole, set, message, path + oneof.name, found);
    const field = set.case === undefined ? undefined : byCase.get(set.case);
    if (field?.rule) report(field.rule, set.value, message, path + field.name, found);
  });
  return checks;
}

function report(rule: Rule, value: unknown, message: Fields, field: string, found: Faults): void {
  for (const suffix of rule.faults(value as never, message))
    found.violations.push({ field: field + suffix, description: rule.text });
  for (const suffix of rule.permutationFaults?.(value as never, message) ?? [])
    found.permutations.push({ field: field + suffix, description: rule.text });
}

/** An element may stand once in a list of elements. */
function reportRepeated(
  list: readonly Fields[],
  field: string,
  rules: typeof RULES,
  item: DescMessage,
  found: Faults,
): void {
  const description = rules[ruleName(item)]!['element_id']!.text;
  for (const suffix of repeated(list.map(({ elementId }) => elementId as bigint)))
    found.violations.push({ field: `${field}${suffix}.element_id`, description });
}
