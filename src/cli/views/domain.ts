import { count } from '../../base/count'

/** The most names that are listed; more are only counted. */
export const MANY = 20

/** What registering accepted domains has done: a line for each name, or one for many. */
export function addedLines(
  tenant: string,
  { added, unchanged }: Readonly<Record<'added' | 'unchanged', readonly string[]>>,
): string[] {
  return [
    ...lines(added, (what) => `added ${what} to ${tenant}`),
    ...lines(unchanged, (what) => `${what}: there already`),
  ]
}

/** The same of a change of their subdomains. */
export function subdomainsLines(
  tenant: string,
  subdomains: boolean,
  { changed, unchanged }: Readonly<Record<'changed' | 'unchanged', readonly string[]>>,
): string[] {
  const flags = subdomains ? 'with subdomains' : 'without subdomains'
  return [
    ...lines(changed, (what) => `${what} of ${tenant}: now ${flags}`),
    ...lines(unchanged, (what) => `${what}: ${flags} already`),
  ]
}

/** The same of their removal. */
export function removedLines(tenant: string, names: readonly string[]): string[] {
  return lines(names, (what) => `removed ${what} from ${tenant}`)
}

function lines(names: readonly string[], line: (what: string) => string): string[] {
  return names.length > MANY ? [line(count(names.length, 'domain'))] : names.map(line)
}
