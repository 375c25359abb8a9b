import { count } from '../../base/count'
import { pauseInEffect, readPause } from '../../enforcement/pause'
import { answering, missingHosts, readOverview } from '../../nodes/overview'
import { html, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { time, type Tone } from '../kit/parts'
import { shared } from '../kit/shared'

/** All processes: several pages show them, and every page says what is wrong with them. */
export const nodesNow = shared(({ store }) => readOverview(store))

const pauseNow = shared(({ store }) => readPause(store))
const restrictedNow = shared(({ store }) => store.client.scard(store.keys.restricted))

/**
 * What every page says on top.
 *
 * @param readOnly why nothing may be written now: the registry is lost, or Redis has gone back in time.
 */
export async function stripeOf(visit: Visit, readOnly: string | undefined): Promise<Html> {
  const [pause, restricted, nodes] = await Promise.all([
    pauseNow(visit),
    restrictedNow(visit),
    nodesNow(visit),
  ])
  const lines: Html[] = []
  const say = (tone: Tone, text: Html, ...segments: string[]): void => {
    const said = segments.length > 0 ? html`<a href="${visit.to(segments)}">${text}</a>` : text
    lines.push(html`<p class="stripe ${tone}">${said}</p>`)
  }
  if (readOnly !== undefined) say('bad', html`Nothing can be changed here: ${readOnly}`)
  const paused = pauseInEffect(pause)
  if (paused) {
    const { until, by, reason } = paused
    const text = html`Enforcement is paused until ${time(until)}, by ${by}: ${reason}.`
    say('warn', text, 'enforcement')
  }
  const there = answering(nodes.nodes)
  const lost = there.filter(({ node }) => ['lost', 'newer'].includes(node.registry.state)).length
  if (lost > 0) {
    const all = count(there.length, 'process', 'processes')
    say('bad', html`${lost} of ${all} do not know the registry in Redis.`, 'nodes')
  }
  const gone = missingHosts(nodes).map(({ host }) => host)
  if (gone.length > 0) {
    say('bad', html`${count(gone.length, 'host')} not reporting: ${named(gone)}.`, 'nodes')
  }
  const versions = [...new Set(there.map(({ node }) => node.versions.plugin))]
  if (versions.length > 1) {
    say('warn', html`Processes have ${versions.length} versions: ${named(versions)}.`, 'nodes')
  }
  if (restricted > 0) {
    say('warn', html`${count(restricted, 'tenant')} restricted.`, 'restricted')
  }
  return html`${lines}`
}

const MOST_NAMED = 5

function named(texts: readonly string[]): string {
  const more = texts.length - MOST_NAMED
  const first = texts.slice(0, MOST_NAMED).join(', ')
  return more > 0 ? `${first} and ${more} more` : first
}
