import { Cases } from '../../src/cases/cases'
import { Restrictions } from '../../src/allowance/restriction'
import { Recorder } from '../../src/reporting/recorder'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import type { Batch } from '../../src/reporting/batch'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { signedBy, type Site } from './registry'
import { actorText } from '../../src/records/actor'
import { ACCEPTED, REFUSED } from './reporting'

/**
 * Texts that the sender of mail, or a person with access to `tenantctl`, could choose to take over a page, a spreadsheet or a
 * terminal. Each element and attribute that could come from one is named `x-evil`.
 */
export const HOSTILE_TEXTS: Readonly<Record<string, string>> = {
  'an element': '<x-evil>',
  'the end of an attribute': '" x-evil="1',
  'the end of an attribute in single quotes': "' x-evil='1",
  'an attribute without quotes': 'a x-evil=1 b',
  'a script': '<script>document.title="x-evil"</script><x-evil>',
  'an image that runs': '<img src=x onerror=alert(1) x-evil>',
  'the end of a title': '</title><x-evil>',
  'the end of a textarea': '</textarea></select></option><x-evil>',
  'the end of a comment': '--><x-evil><!--',
  'an SVG': '<svg><desc><x-evil></desc><style><x-evil></style></svg>',
  'an entity': '&lt;x-evil&gt;&#60;x-evil&#62;',
  'a template': '${x-evil}{{x-evil}}<%= x-evil %>',
  'a script URL': 'javascript:alert(`x-evil`)',
  'another host': '//x-evil.example/\\x-evil.example',
  'text that runs backwards': 'a\u202e<live-x>\u202c\u2066b',
  'control characters': '\u0000\u001b[2J\u009b31m\u0007<x-evil>',
  'a formula': '=HYPERLINK("http://x-evil.example","a")',
  'a formula after a blank': ' \t@SUM(1+1)*cmd|x-evil!A0',
  'a shell': "$(x-evil)`x-evil`;x-evil|x-evil'",
  'a lone surrogate': '\ud800<x-evil>',
  'much text': `${'a'.repeat(10_000)}<x-evil>`,
  'an htmx attribute': '" data-hx-get="/sign-out" data-hx-trigger="load" x-evil="',
}

/** A tenant with each kind of what people see, whose mail and records hold hostile texts. Its console is to show them. */
export async function fillHostile(plain: Site): Promise<Site> {
  const texts = Object.values(HOSTILE_TEXTS)
  const site = signedBy(actorText({ os: texts[0]!, redis: 'default', note: texts[1]! }), plain)
  const { store, registry } = site
  await registry.tenants.add(
    'contoso',
    { name: '<x-evil>Contoso" x-evil="', limits: '5/1h' },
    'ann',
  )
  await registry.tenants.add('fabrikam', {}, 'ann')
  await registry.connectors.add('contoso', 'web', { auth: ['web@contoso.com'] }, '<x-evil>')
  await registry.domains.add(
    'contoso',
    [{ domain: 'contoso.com', subdomains: true, shared: false }],
    '<x-evil>',
  )
  await recordMail(site, texts)
  await new Restrictions(store).place('contoso', {
    scope: 'unregistered',
    by: '<x-evil>',
    reason: '"><x-evil> reason',
  })
  const cases = new Cases(store)
  const name = (await cases.ensure('contoso'))!
  for (const text of texts.slice(0, 10)) await cases.note(name, { by: '<x-evil>', text })
  await cases.check(name, ['domains'], { by: '<x-evil>', text: '<x-evil>' })
  return site
}

async function recordMail({ store }: Site, texts: readonly string[]): Promise<void> {
  const tally = new Tally(() => {})
  const recorder = new Recorder(store, () => 90)
  const batch = tally.batchOf('contoso')!
  const tabless = texts.map((text) => text.replaceAll('\t', ' '))
  for (const [at, text] of tabless.entries()) {
    const source = { domain: text, connector: 'contoso/web', ip: `192.0.2.${at + 1}`, user: text }
    batch.addSource(source, 'unregistered', at % 2 ? ACCEPTED : REFUSED)
    batch.addSample(source, text, text)
    batch.addHeaderFrom('registered', 'contoso/web', text)
    batch.addSource({ ...source, ip: text }, 'foreign', ACCEPTED, 'fabrikam')
  }
  batch.addTotal('registered', 'contoso/web', ACCEPTED)
  await recorder.record('contoso', tally.take('contoso') as Batch, 'p 1')
  const unattributed = tally.unattributed!
  for (const text of tabless)
    unattributed.add({ ip: text, user: text, certificate: text }, ACCEPTED)
  await recorder.recordUnattributed(tally.take(UNATTRIBUTED) as UnattributedBatch, 'p 2')
}
