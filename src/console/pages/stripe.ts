import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'

/**
 * What every page says on top.
 *
 * @param readOnly why nothing may be written now.
 */
export async function stripeOf(_visit: Visit, readOnly: string | undefined): Promise<Html> {
  if (readOnly === undefined) return NOTHING
  return html`<p class="stripe bad">Nothing can be changed here: ${readOnly}</p>`
}
