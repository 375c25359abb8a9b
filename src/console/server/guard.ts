/** Types of a body that an HTML form sends; nothing else is read. */
const FORM = /^application\/x-www-form-urlencoded\b/i

/** What decides whether a request may change something. */
export interface WriteRequest {
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
  readonly contentType: string | undefined
}

/**
 * Why a request may not change anything, for people; `undefined`: it comes from a form of this console. The token is checked
 * besides.
 *
 * @param origins of the console, without a path.
 */
export function refusedWrite(
  { origin, fetchSite, contentType }: WriteRequest,
  origins: readonly string[],
): string | undefined {
  if (!FORM.test(contentType ?? '')) return 'only a form of this console can change something'
  // `null` is what a page without an origin sends: a file, or a frame in a sandbox.
  if (origin === undefined || !origins.includes(origin)) {
    return 'the form was not sent by a page of this console'
  }
  if (fetchSite !== undefined && fetchSite !== 'same-origin') {
    return 'the form was sent by another site'
  }
  return undefined
}

/** Where a form may lead to: a path of this console, and not the name of another host. */
export function isOwnPath(path: string): boolean {
  // eslint-disable-next-line no-control-regex -- browsers drop some of them, and then another host follows
  return /^\/(?![/\\])/.test(path) && !/[\\\u0000-\u001f\u007f]/.test(path)
}

/** Whether the Host of a request is this console: another name can lead here, and would be that of another site. */
export function isOwnHost(host: string | undefined, origins: readonly string[]): boolean {
  return origins.some((origin) => new URL(origin).host === host?.toLowerCase())
}
