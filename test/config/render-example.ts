import { hasFile, VARIABLES, type Variable } from '../../src/config/variables.ts';

const HEAD = `Configuration of SequenceService: copy to .env, uncomment, change. Variables of the real environment win; an
empty variable counts as not set. \`npx node src/cli.ts config\` prints what is in effect.
Made from src/config/variables.ts: after a change there, run \`npx vitest run test/config -u\`.`;

const TITLES: Record<Variable['group'], string> = {
  server: 'Server',
  tls: 'TLS',
  auth: 'Callers',
  database: 'Database',
  writer: 'Writer',
  log: 'Log',
  service: 'Service',
  sync: 'Search index',
  client: 'Commands that call a running service',
};

/** The text of `.env.example`: comments as `# text`, variables as `#NAME=default`. */
export function renderExample(): string {
  const lines = HEAD.split('\n').map((line) => `# ${line}`);
  let group: Variable['group'] | undefined;
  for (const variable of VARIABLES as readonly Variable[]) {
    if (variable.group !== group) lines.push('', `# --- ${TITLES[variable.group]} ---`);
    group = variable.group;
    lines.push('', ...wrap(commentOf(variable)), `#${variable.name}=${variable.default}`);
  }
  return `${lines.join('\n')}\n`;
}

function commentOf(variable: Variable): string {
  const { name, help, kind, default: fallback } = variable;
  const range = `${kind.range[0]?.toUpperCase()}${kind.range.slice(1)}.`;
  const orFile = hasFile(variable) ? ` Also from a file, which ${name}_FILE names.` : '';
  // Where "none" is a value, it must not stand for having none.
  const nothing = kind.range.includes('none') ? 'empty' : 'none';
  return `${help} ${range}${orFile} Default: ${fallback === '' ? nothing : fallback}`;
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > 110) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
