import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Connection, Plugin, HarakaTransaction } from '../../../plugins/kit/haraka'
import { Report } from '../../../plugins/session/report'
import { Transaction } from '../../../plugins/session/transaction'
import { parseEnvelope } from '../../../src/names/envelope'
import type { Attribution } from '../../../src/decision/attribution'

/** The addresses whose refusal is logged, one address for each attribution. */
function toldOf(attributions: readonly Attribution[]): unknown[] {
  const told: unknown[] = []
  const report = new Report({
    name: 'unregistered-domain',
    lognotice: (_connection: unknown, _message: string, { ip }: { ip: string }) => told.push(ip),
  } as unknown as Plugin)
  attributions.forEach((attribution, at) => {
    const connection = { remote: { ip: `192.0.2.${at}` } } as unknown as Connection
    report.refused(connection, transactionOf(attribution), 'restricted')
  })
  return told
}

function transactionOf(attribution: Attribution): Transaction {
  const transaction = new Transaction({
    mail_from: parseEnvelope('x@lure.example'),
    notes: {},
    results: { add: () => {} },
  } as unknown as HarakaTransaction)
  transaction.setSender(attribution, undefined)
  return transaction
}

it('refusals of a tenant without a connector are logged once, from however many addresses', () => {
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
  // Only the address distinguishes these.
  assert.equal(toldOf([{ kind: 'none' }, { kind: 'none' }]).length, 2)
})

it('refusals of more than a thousand addresses without a tenant are counted as one', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lines: unknown[][] = []
  const report = new Report({
    name: 'unregistered-domain',
    lognotice: (...line: unknown[]) => lines.push(line),
  } as unknown as Plugin)
  const transaction = transactionOf({ kind: 'none' })
  for (let at = 0; at < 3000; at++) {
    const connection = { remote: { ip: `2001:db8::${at.toString(16)}` } } as unknown as Connection
    report.refused(connection, transaction, 'no-tenant')
  }
  assert.equal(lines.length, 1001)
  lines.length = 0
  t.mock.timers.tick(60_000)
  const counted = { tenant: '', connector: 'other addresses', reason: 'no-tenant' }
  assert.deepEqual(lines, [['refused', { ...counted, count: 1999, seconds: 60 }]])
})
