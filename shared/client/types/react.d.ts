// The two hooks of React that `src/react.ts` uses: the client is checked where no types of React are installed.

declare module "react" {
  export function useMemo<T>(make: () => T, dependencies: readonly unknown[]): T;
  export function useSyncExternalStore<T>(subscribe: (onChange: () => void) => () => void, getSnapshot: () => T, getServerSnapshot?: () => T): T;
}
