// Registers an MCP server as a plugin and calls one of its tools: node examples/tools/mcp.ts
// Environment: MCP is the address of the MCP server. To run one on this machine (port 3001):
// npx @modelcontextprotocol/server-everything streamableHttp
// Then allow its address: PLUGIN_HOSTS=127.0.0.1 npm start
import { graph, run } from './graph.ts';

const address = process.env.MCP ?? 'http://127.0.0.1:3001/mcp';
const register = `mutation($input: RegisterPluginInput!) { registerPlugin(input: $input) {
  ... on RegisterPluginPayload { plugin { id operations { name } } } ... on Error { message } } }`;
const { registerPlugin } = await graph(register, { input: { name: 'Everything', source: { mcp: { url: address } } } });
const { id, operations } = registerPlugin.plugin;
console.log(operations.map(({ name }: { name: string }) => name).join(', '));
await run('get-sum {"a": 2, "b": 40}', [{ plugin: { pluginId: id } }]);
