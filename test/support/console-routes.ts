import { ACTIONS } from '../../src/console/actions/all'
import { DOWNLOADS, PAGES } from '../../src/console/pages/all'

/** A value for each placeholder of a path, of a site that {@link fillHostile} has filled. */
const SAMPLES: Readonly<Record<string, string>> = {
  tenant: 'contoso',
  name: 'web',
  case: 'contoso:1',
  subject: 'contoso',
  host: 'mx1.example',
}

/** A route, and a path of it. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** Such as `/tenants/:tenant`. */
  readonly route: string
  readonly path: string
}

/** Every route of the console behind the sign-in. */
export const ROUTES: readonly Route[] = [
  ...PAGES.map(({ path }) => ({ method: 'GET' as const, ...pathsOf(path) })),
  ...[...DOWNLOADS, ...ACTIONS].map(({ path }) => ({ method: 'POST' as const, ...pathsOf(path) })),
]

function pathsOf(route: string): { readonly route: string; readonly path: string } {
  const path = route.replace(/:(\w+)/g, (_, name: string) => {
    const sample = SAMPLES[name]
    if (sample === undefined) throw new Error(`no sample for :${name} of ${route}`)
    return encodeURIComponent(sample)
  })
  return { route, path }
}
