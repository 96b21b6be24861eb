// The health check of the container image. A worker serves no HTTP: while its process runs, it counts as healthy.
if (process.env.ROLE !== 'worker') {
  const response = await fetch(`http://127.0.0.1:${process.env.PORT ?? 4000}/health`).catch(() => undefined);
  process.exit(response?.ok ? 0 : 1);
}
