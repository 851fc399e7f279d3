// One measurement of ONNX Runtime (npm onnxruntime-node) in a process of its own; prints one JSON
// object a line.
//
//     peer_onnxruntime.mjs infer FILE.onnx THREADS SECONDS BATCH...
//     peer_onnxruntime.mjs version
//
// The package is looked for in $LATHE_PEERS/node_modules, in build/peers/node_modules, and where
// node looks by itself.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const WARM_UP = 3, FEWEST_STEPS = 5;

function load() {
  const here = fileURLToPath(import.meta.url);
  const peers = fileURLToPath(new URL('../../build/peers/', import.meta.url));
  const folders = [process.env.LATHE_PEERS && process.env.LATHE_PEERS + '/', peers, here];
  for (const folder of folders.filter(Boolean)) {
    const require = createRequire(folder);
    try {
      require.resolve('onnxruntime-node');
    } catch {
      continue;
    }
    return [require('onnxruntime-node'), require('onnxruntime-node/package.json').version];
  }
  console.error('onnxruntime-node is not installed');
  process.exit(1);
}

// Milliseconds of each call, until the time is over; the first calls are not counted.
async function repeat(work, seconds) {
  for (let i = 0; i < WARM_UP; i++) await work();
  const times = [], end = performance.now() + seconds * 1e3;
  while (times.length < FEWEST_STEPS || performance.now() < end) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}

const [ort, version] = load();
const [mode, file, threads, seconds, ...batches] = process.argv.slice(2);
if (mode === 'version') {
  console.log(JSON.stringify({ version }));
} else {
  const options = { intraOpNumThreads: +threads, interOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(file, options);
  for (const batch of batches.map(Number)) {
    const data = Float32Array.from({ length: batch * 784 }, Math.random);
    const feeds = { x: new ort.Tensor('float32', data, [batch, 1, 28, 28]) };
    const times = await repeat(() => session.run(feeds), +seconds);
    const pick = part => times[Math.round(part * (times.length - 1))];
    const step_ms = { p10: pick(0.1), median: pick(0.5), p90: pick(0.9) };
    console.log(JSON.stringify({ batch, step_ms, steps: times.length }));
  }
}
