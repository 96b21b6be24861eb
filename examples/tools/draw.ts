// A picture: start the server with IMAGE_MODEL (IMAGE_MODEL=demo draws without a model), then node examples/tools/draw.ts
import { run } from './graph.ts';

await run('draw a lighthouse at dawn', [{ textToImage: {} }]);
