// The creation of a stream, which `@durable-streams/server` needs before anything else.

export async function create(port: number, path: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "PUT", headers: { "content-type": "application/json" } });
  await answer.arrayBuffer();
  if (answer.status !== 201) throw new Error(`PUT ${path} answered ${answer.status}`);
}
