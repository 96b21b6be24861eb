// Registers an HTTP API by its OpenAPI document and calls one of its operations: node examples/tools/openapi.ts
// Environment: API is the address of the API. To use one on this machine, allow it: PLUGIN_HOSTS=127.0.0.1 npm start
import { graph, run } from './graph.ts';

const api = process.env.API ?? 'https://petstore3.swagger.io/api/v3';
const document = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'Pets', version: '1' },
  paths: {
    '/pet/findByStatus': {
      get: {
        operationId: 'find_pets',
        summary: 'Finds pets by their status.',
        parameters: [{ name: 'status', in: 'query', required: true, schema: { enum: ['available', 'sold'] } }],
        responses: { 200: { description: 'The pets.' } },
      },
    },
  },
});
const register = `mutation($input: RegisterPluginInput!) { registerPlugin(input: $input) {
  ... on RegisterPluginPayload { plugin { id operations { name } } } ... on Error { message } } }`;
const { registerPlugin } = await graph(register, {
  input: { name: 'Pets', source: { openapi: { document } }, serverUrl: api },
});
await run('find_pets {"status": "available"}', [{ plugin: { pluginId: registerPlugin.plugin.id } }]);
