// The tools of an MCP server: node examples/tools/mcp.ts
// MCP: its address. For one on this machine: npx @modelcontextprotocol/server-everything streamableHttp (port 3001), and the server
// started with PLUGIN_HOSTS=127.0.0.1 npm start
import { graph, run } from './graph.ts';

const address = process.env.MCP ?? 'http://127.0.0.1:3001/mcp';
const register = `mutation($input: RegisterPluginInput!) { registerPlugin(input: $input) {
  ... on RegisterPluginPayload { plugin { id operations { name } } } ... on Error { message } } }`;
const { registerPlugin } = await graph(register, { input: { name: 'Everything', mcp: { url: address } } });
const { id, operations } = registerPlugin.plugin;
console.log(operations.map(({ name }: { name: string }) => name).join(', '));
await run('get-sum {"a": 2, "b": 40}', [{ plugin: { pluginId: id } }]);
