import { DIFFERENCES } from './differences.ts';

/** docs/lane.md, of the table of differences. */
export function renderLane(): string {
  const rows = DIFFERENCES.map(
    ({ id, what, reason, specification, explains }) =>
      `### \`${id}\`\n\n${what}\n\n- Why: ${reason}\n- Rests on: ${specification}\n` +
      `- On the wire: ${explains === undefined ? 'nothing of it can be seen in the fuzzer' : 'yes'}\n`,
  );
  return `${INTRODUCTION}\n${rows.join('\n')}`;
}

const INTRODUCTION = `# The lane

<!-- Made from test/rpc/lane/differences.ts: after a change there, run \`npx vitest run test/rpc/lane -u\`. -->

With \`LANE=on\`, the default, unary calls of the plainest shape are answered by \`src/rpc/lane/\` in place of connect-es' own
handlers: the same interceptors, implementations and answers, for less work. [ADR 9](adr/0009-unary-lane.md) weighs it.

It takes a request that is a POST to a known unary method, uncompressed, as \`application/json\` (also with
\`charset=utf-8\`) or \`application/proto\` over HTTP/1.1 and HTTP/2, or as \`application/grpc\` or
\`application/grpc+proto\` over HTTP/2, with a timeout, a length and an encoding that need no second look. It reads the
message and decodes it. Where any of that fails, the stock adapter gets the request, its body replayed from the first
byte: every error of the protocol layer is connect-es' own, made once. Streams, gRPC-web, GET, compressed requests and
whatever is odd never reach it.

\`sequence_rpc_lane_total\` counts what it answers; \`LANE=off\` takes it out.

\`npm run fuzz [count] [seed]\` sends generated and broken requests to a service with the lane and to one without, and
compares status, headers, trailers, bodies, counters and what is stored in the end. 100,000 cases by default, 2,000 in the
tests. Seeds 20261124, 24 and 20261125 (100,000 cases each) found no difference.

## Where it differs, on purpose
`;
