/** Uses what is mostly there at once. A promise must be one that never rejects, as a tracer's outcome. */
export function whenThere<T>(value: T | Promise<T>, use: (value: T) => void): void {
  if (value instanceof Promise) void value.then(use)
  else use(value)
}
