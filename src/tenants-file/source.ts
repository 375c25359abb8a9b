// Who a tenant, an accepted domain or a connector comes from, as Redis says it.

const FILE = 'file:'
const DETACHED = 'detached:'

/** Stands for the file of an id as the one who registers something. */
export function fileSource(id: string): string {
  return FILE + id
}

/** Whether a tenants file registers and changes what has this source. */
export function isFileSource(source: string): boolean {
  return source.startsWith(FILE)
}

/** The source of a tenant that came from a file, which leaves it alone from now on. @param source of that file. */
export function detachedFrom(source: string): string {
  return DETACHED + source
}

/** The source of the file that a tenant was detached from; `undefined`: it was not. */
export function attachedAgain(source: string): string | undefined {
  return source.startsWith(DETACHED) ? source.slice(DETACHED.length) : undefined
}
