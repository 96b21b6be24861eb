// Generates an image: node examples/tools/draw.ts
// The server needs IMAGE_MODEL, for example IMAGE_MODEL=demo, which draws without a provider.
import { run } from './graph.ts';

await run('draw a lighthouse at dawn', [{ textToImage: {} }]);
