import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Connection, Plugin, HarakaTransaction } from '../../../plugins/kit/haraka'
import { HeaderFrom } from '../../../plugins/session/header-from'
import { LogOnce } from '../../../plugins/kit/log'
import { Report } from '../../../plugins/session/report'
import { Transaction } from '../../../plugins/session/transaction'
import { parseConfig } from '../../../src/process/config'
import { parseEnvelope } from '../../../src/names/envelope'
import type { Attribution } from '../../../src/decision/attribution'
import type { Snapshot } from '../../../src/directory/snapshot'
import { acceptedDomains } from '../../support/judgement'

const FORGED = ['From: x@evil.example\n']
const TENANT: Attribution = {
  ...{ kind: 'attributed', tenant: 'contoso', connector: 'contoso/mx' },
  ...{ enabled: true, blocked: false, method: 'ip' },
}

interface Mail {
  readonly from?: string
  readonly lines?: () => readonly string[]
  readonly mode?: Snapshot['mode']
  readonly override?: string
  readonly relaying?: boolean
  readonly passed?: number
}

/** What is recorded of so many messages of the null sender that have ended. */
function lookAtNull(check: string, mail: Mail, messages = 1): unknown[] {
  const { config } = parseConfig({ header_from: { check } }, '/nowhere')
  const found: unknown[] = []
  const headerFrom = new HeaderFrom(
    new Report({ name: 'unregistered-domain' } as unknown as Plugin),
    () => config,
    (_transaction, mismatch) => found.push(mismatch),
    () => assert.fail('charged'),
    new LogOnce(() => {}),
  )
  const snapshot = { domains: acceptedDomains({ 'contoso.com': '-' }), mode: undefined }
  for (let message = 1; message <= messages; message++) {
    const transaction = new Transaction({
      ...{ mail_from: parseEnvelope(''), notes: {}, rcpt_to: [parseEnvelope('a@far.example')] },
      ...{ results: { get: () => undefined }, data_post_start: mail.passed === 0 ? null : 1 },
      header: { lines: mail.lines ?? (() => FORGED) },
    } as unknown as HarakaTransaction)
    transaction.setSender(TENANT, snapshot as unknown as Snapshot)
    transaction.end()
    headerFrom.checkAccepted(transaction)
  }
  return found
}

/** What is recorded of so many messages, one after the other, and how many of them are charged. */
function look(check: string, mail: Mail, messages = 1): { found: unknown[]; charged: number } {
  const { config } = parseConfig(
    { main: { override: mail.override ?? '' }, header_from: { check } },
    '/nowhere',
  )
  const found: unknown[] = []
  let charged = 0
  const plugin = { name: 'unregistered-domain', lognotice: () => {} } as unknown as Plugin
  const headerFrom = new HeaderFrom(
    new Report(plugin),
    () => config,
    (_transaction, mismatch) => found.push(mismatch),
    () => void charged++,
    new LogOnce(() => {}),
  )
  const snapshot = { domains: acceptedDomains({ 'contoso.com': '-' }), mode: mail.mode }
  for (let message = 1; message <= messages; message++) {
    const transaction = new Transaction({
      mail_from: parseEnvelope(mail.from ?? 'a@contoso.com'),
      ...{ notes: {}, results: { add: () => {} } },
      header: { lines: mail.lines ?? (() => FORGED) },
    } as unknown as HarakaTransaction)
    transaction.setSender(TENANT, snapshot as unknown as Snapshot)
    transaction.passUncharged(mail.passed ?? 1)
    const connection = { relaying: mail.relaying ?? true } as Connection
    assert.equal(headerFrom.check(connection, transaction), undefined)
  }
  return { found, charged }
}

describe('the check of header From', () => {
  it('checks each registered message to charge it, and one in twenty to report it', () => {
    assert.deepEqual(look('charge', {}, 40), { found: Array(40).fill('evil.example'), charged: 40 })
    assert.deepEqual(look('report', {}, 40), {
      found: ['evil.example', 'evil.example'],
      charged: 0,
    })
    assert.deepEqual(look('off', {}, 40), { found: [], charged: 0 })
  })

  it('charges no message whose From is an accepted domain', () => {
    const lines = (): string[] => ['From: a@contoso.com\n']
    assert.deepEqual(look('charge', { lines }), { found: [undefined], charged: 0 })
  })

  const OTHERS: Readonly<Record<string, Mail>> = {
    'unregistered mail': { from: 'a@lure.example' },
    'the null sender': { from: '' },
    'mail that is not relayed': { relaying: false },
    'mail of which nothing passed as registered': { passed: 0 },
    'mail of a tenant whose mode is off': { mode: 'off' },
    'any mail under the brake': { override: 'off' },
  }
  for (const [what, mail] of Object.entries(OTHERS)) {
    it(`does not check ${what}`, () => {
      assert.deepEqual(look('charge', mail), { found: [], charged: 0 })
    })
  }

  it('checks accepted mail of the null sender as often, and only records it', () => {
    assert.deepEqual(lookAtNull('charge', {}, 3), Array(3).fill('evil.example'))
    assert.deepEqual(lookAtNull('report', {}, 40), ['evil.example', 'evil.example'])
    assert.deepEqual(lookAtNull('off', {}, 40), [])
    assert.deepEqual(lookAtNull('charge', { passed: 0 }), [])
    assert.deepEqual(lookAtNull('charge', { lines: () => ['From: a@contoso.com\n'] }), [undefined])
  })

  it('lets registered mail pass where it fails itself', () => {
    const lines = (): string[] => {
      throw new Error('broken')
    }
    assert.deepEqual(look('charge', { lines }), { found: [undefined], charged: 0 })
  })
})
