// The secrets that no log may contain: every suite registers its secrets here, and the harness searches each server's log for them when it stops.

const secrets = new Set<string>();

/** Notes a secret and returns it. */
export function secret(text: string): string {
  secrets.add(text);
  return text;
}

/** The faults of a server's log: secrets in it, and lines of ours that are not JSON. */
export function faultsOf(log: string): string[] {
  // In front of a line stand the level on Workers and the component on Spin.
  const lines = log.split("\n").map((line) => line.replace(/^(error: |\[[\w-]+\] )/, ""));
  const torn = lines.filter((line) => line.startsWith('{"') && !isLine(line)).map((line) => `no line of JSON: ${line}`);
  return [...torn, ...[...secrets].filter((text) => log.includes(text)).map((text) => `a secret in the log: ${text.slice(0, 12)}...`)];
}

function isLine(line: string): boolean {
  try {
    return typeof (JSON.parse(line) as { event?: unknown }).event === "string";
  } catch {
    return false;
  }
}
