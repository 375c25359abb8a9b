import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Connection, Plugin, Transaction } from '../../../plugins/kit/haraka'
import { Report } from '../../../plugins/session/report'
import { Transit } from '../../../plugins/session/transaction'
import { parseEnvelope } from '../../../src/names/envelope'
import type { Attribution } from '../../../src/decision/attribution'

/** The addresses whose refusal is told in the log, of one for each attribution. */
function toldOf(attributions: readonly Attribution[]): unknown[] {
  const told: unknown[] = []
  const report = new Report({
    name: 'unregistered-domain',
    lognotice: (_connection: unknown, _message: string, { ip }: { ip: string }) => told.push(ip),
  } as unknown as Plugin)
  attributions.forEach((attribution, at) => {
    const connection = { remote: { ip: `192.0.2.${at}` } } as unknown as Connection
    const transit = new Transit({
      mail_from: parseEnvelope('x@lure.example'),
      notes: {},
      results: { add: () => {} },
    } as unknown as Transaction)
    transit.stand(attribution, undefined)
    report.refused(connection, transit, 'restricted')
  })
  return told
}

it('refusals of a tenant without a connector are told once, from however many addresses', () => {
  const of = (tenant: string, connector?: string): Attribution => ({
    ...{
      kind: 'attributed',
      tenant,
      connector,
      enabled: true,
      blocked: false,
      method: 'auth_user_domain',
    },
  })
  assert.deepEqual(
    toldOf([of('contoso'), of('contoso'), of('fabrikam'), of('contoso', 'contoso/mx')]),
    ['192.0.2.0', '192.0.2.2', '192.0.2.3'],
  )
  // Nothing but the address tells these apart.
  assert.equal(toldOf([{ kind: 'none' }, { kind: 'none' }]).length, 2)
})
