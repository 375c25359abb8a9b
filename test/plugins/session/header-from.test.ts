import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Connection, Plugin, HarakaTransaction } from '../../../plugins/kit/haraka'
import { HeaderFrom } from '../../../plugins/session/header-from'
import { LogOnce } from '../../../plugins/kit/log'
import { Report } from '../../../plugins/session/report'
import { Transaction } from '../../../plugins/session/transaction'
import { CLASSES } from '../../../src/mail/classes'
import { parseConfig } from '../../../src/process/config'
import { parseEnvelope } from '../../../src/names/envelope'
import type { Attribution } from '../../../src/decision/attribution'
import type { Snapshot } from '../../../src/directory/snapshot'
import { acceptedDomains } from '../../support/judgement'

const FORGED = ['From: x@evil.example\n']
const OWN = ['From: a@contoso.com\n']
const TENANT: Attribution = {
  ...{ kind: 'attributed', tenant: 'contoso', connector: 'contoso/mx' },
  ...{ enabled: true, blocked: false, method: 'ip' },
}

interface Mail {
  readonly from?: string
  readonly header?: readonly string[]
  readonly mode?: Snapshot['mode']
  readonly override?: string
  readonly relaying?: boolean
  readonly passed?: number
  /** The client leaves before the end of DATA. */
  readonly aborted?: boolean
  readonly status?: string | undefined
}

/** What is recorded, charged and told of so many messages, one after the other. */
interface Looked {
  readonly found: readonly unknown[]
  readonly charged: number
  readonly told: readonly unknown[]
}

/** Each message comes to the end of DATA, and then to its end. */
function look(check: string, mail: Mail, messages = 1): Looked {
  const { config } = parseConfig(
    { main: { override: mail.override ?? '' }, header_from: { check } },
    '/nowhere',
  )
  const found: unknown[] = []
  const told: unknown[] = []
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
  const connection = { relaying: mail.relaying ?? true } as Connection
  for (let message = 1; message <= messages; message++) {
    const haraka = {
      mail_from: parseEnvelope(mail.from ?? 'a@contoso.com'),
      ...{ notes: {}, rcpt_to: [parseEnvelope('a@far.example')], data_post_start: null },
      results: {
        add: (_plugin: unknown, result: { from: unknown }) => told.push(result.from),
        get: () => undefined,
      },
      header: { header_list: mail.header ?? FORGED },
    }
    const transaction = new Transaction(haraka as unknown as HarakaTransaction)
    transaction.setSender(TENANT, snapshot as unknown as Snapshot)
    const passed = mail.passed ?? 1
    if (CLASSES[transaction.sender.class].passes) transaction.passUncharged(passed)
    if (!mail.aborted) {
      Object.assign(haraka, { data_post_start: 1, msg_status: mail.status })
      assert.equal(headerFrom.charge(connection, transaction), undefined)
    }
    transaction.end()
    headerFrom.lookAt(transaction)
  }
  return { found, charged, told }
}

const NOTHING: Looked = { found: [], charged: 0, told: [] }
const FITS: Looked = { found: [undefined], charged: 0, told: [] }
const TWO = ['evil.example', 'evil.example']

describe('the look at header From', () => {
  it('takes each registered message to charge it, and one in fifty to report it', () => {
    const all = Array(100).fill('evil.example')
    assert.deepEqual(look('charge', {}, 100), { found: all, charged: 100, told: all })
    assert.deepEqual(look('report', {}, 100), { found: TWO, charged: 0, told: TWO })
    assert.deepEqual(look('off', {}, 100), NOTHING)
  })

  it('charges no message whose From is an accepted domain', () => {
    assert.deepEqual(look('charge', { header: OWN }), FITS)
  })

  const UNCHARGED: Readonly<Record<string, Mail>> = {
    'unregistered mail': { from: 'a@lure.example', aborted: true },
    'mail that is not relayed': { relaying: false },
    'mail of which nothing passed as registered': { passed: 0 },
    'mail of a tenant whose mode is off': { mode: 'off' },
    'any mail under an override': { override: 'off' },
  }
  for (const [what, mail] of Object.entries(UNCHARGED)) {
    it(`does not charge ${what}`, () => {
      assert.deepEqual(look('charge', mail), NOTHING)
    })
  }

  for (const from of ['a@contoso.com', '']) {
    const whose = from === '' ? 'the null sender' : 'a registered sender'
    it(`reports mail of ${whose} that was accepted, or may have been`, () => {
      for (const status of ['accepted', undefined]) {
        assert.equal(look('report', { from, status }, 50).found.length, 1)
      }
    })

    it(`reports no mail of ${whose} that was aborted or refused`, () => {
      const untaken: Mail[] = [{ aborted: true }, { status: 'rejected' }, { status: 'deferred' }]
      for (const mail of untaken) {
        assert.deepEqual(look('report', { from, ...mail }, 100), NOTHING)
      }
    })
  }

  it('only counts mail of the null sender: each message with charge', () => {
    const from = ''
    const all = Array(3).fill('evil.example')
    assert.deepEqual(look('charge', { from }, 3), { found: all, charged: 0, told: [] })
    assert.deepEqual(look('report', { from }, 100), { found: TWO, charged: 0, told: [] })
    assert.deepEqual(look('off', { from }, 100), NOTHING)
    assert.deepEqual(look('charge', { from, header: OWN }), FITS)
  })

  it('lets registered mail pass where it fails itself', () => {
    const broken = new Proxy<string[]>([], {
      get: () => {
        throw new Error('broken')
      },
    })
    assert.deepEqual(look('charge', { header: broken }), FITS)
  })
})
