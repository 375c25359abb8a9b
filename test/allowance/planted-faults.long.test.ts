import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import vm from 'node:vm'
import fc from 'fast-check'
import ts from 'typescript'
import type { HarakaTransaction } from '../../plugins/kit/haraka'
import * as recipients from '../../plugins/session/recipients'
import { grouped } from '../../src/base/lists'
import { readScript } from '../../src/store/script'
import { Store } from '../../src/store/store'
import { Allowance } from '../support/allowance'
import { fault, plant, type Fault } from '../support/faults'
import { findsEach, type LedgerFault } from '../support/ledger-faults'
import { FEW_HOLDS, ledgerFollowsModel } from '../support/ledger-schedules'
import { useRedis } from '../support/registry'

// Who tests the test: each of these faults, put into the real sources, must be found.

const SEED = 1

const COUNTING = 'src/allowance/lua/include/counting.lua'
const GIVE_BACK = 'src/allowance/lua/include/give_back.lua'
const CHARGE = 'src/allowance/lua/charge.lua'
const REFUND = 'src/allowance/lua/refund.lua'
const USAGE = 'src/allowance/lua/usage.lua'
const LIFT = 'src/allowance/lua/lift.lua'
const ACCEPTED = 'src/allowance/lua/include/accepted.lua'
const EDGES = 'src/allowance/lua/include/edges.lua'
const LIMITS = 'src/allowance/lua/include/limits.lua'
const TEMPORARY = 'src/allowance/lua/include/temporary.lua'
const PROBATION = 'src/allowance/lua/include/probation.lua'
const RING = 'src/allowance/lua/include/ring.lua'
const WINDOWS = 'src/allowance/lua/include/windows.lua'
const RECIPIENTS = 'plugins/session/recipients.ts'

const WRITE_TRIP = `redis.call('HSET', restriction_key, 'since', restricted_since(tenant_key, request.now), 'by', 'automatic',
    'scope', 'unregistered', 'reason', reason, 'case', case, 'event', event, unpack(trigger_of(request, over)))`

/** Restricts only when it has seen the answer. */
class TripsLater extends Store {
  override async call(...[prepared, values]: Parameters<Store['call']>): Promise<unknown> {
    const reply = await super.call(prepared, values)
    if (String(reply).startsWith('TRIPPED') && !values.includes('dry')) {
      const { keys } = prepared
      const place = readScript(`${__dirname}/../../src/allowance`, 'place')
      const placed = [keys[0]!, keys[2]!, `${keys[0]!}:audit`]
      await this.run(place, placed, ['unregistered', 'automatic', '', '', ''])
    }
    return reply
  }
}

const LEDGER_FAULTS: readonly LedgerFault[] = [
  fault(
    'off by one at the limit: one more',
    COUNTING,
    'total + more > limit.count',
    'total > limit.count',
  ),
  fault(
    'off by one at the limit: one less',
    COUNTING,
    'total + more > limit.count',
    'total + more + 1 > limit.count',
  ),
  fault('buckets kept one too few', RING, 'BUCKETS = 61', 'BUCKETS = 60'),
  fault('buckets kept one too many', RING, 'BUCKETS = 61', 'BUCKETS = 62'),
  fault('a total that keeps what has left', RING, 'total = total - count', 'total = total'),
  fault('a bucket that is not emptied', RING, 'ring = with_count(ring, passed, 0)', ''),
  fault('time that runs backward', RING, 'bucket <= newest then', 'bucket == newest then'),
  fault(
    'a window that waits for a clock that was set back far',
    RING,
    'bucket + ahead <= newest - BUCKETS',
    'false',
  ),
  fault(
    'a window that does not wait for a clock that was set back a little',
    RING,
    'bucket + ahead <= newest - BUCKETS',
    'bucket + ahead < newest',
  ),
  fault('a clock set back that frees all', RING, '), newest, total, true', '), newest, 0, true'),
  fault(
    'a clock set back that makes a bucket short',
    RING,
    'ahead = newest - bucket - 1',
    'ahead = newest - bucket',
  ),
  fault(
    'a window that goes back when it is empty',
    RING,
    'empty_ring() .. string.sub(ring, AHEAD_AT)',
    'empty_ring()',
  ),
  fault(
    'a window that goes on only when it counts',
    COUNTING,
    'if set_back and not request.dry then',
    'if false then',
  ),
  fault(
    'a window that is told to free up when the clock gets there again',
    USAGE,
    'row[#row + 1] = bucket - ahead',
    'row[#row + 1] = bucket',
  ),
  fault(
    'the client clock instead of the server’s',
    CHARGE,
    'local now = now_ms()',
    'local now = ARGV[2] ~= "dry" and tonumber(ARGV[2]) > 1e13 and ARGV[2] - 1e13 or now_ms()',
  ),
  fault(
    'a charge in one window only',
    CHARGE,
    "redis.call('HSET', usage_key, unpack(rings))",
    "redis.call('HSET', usage_key, rings[1], rings[2])",
  ),
  fault(
    'both meters in one',
    COUNTING,
    'fields[at + 1] = letter .. limit.window',
    "fields[at + 1] = 'u' .. limit.window",
  ),
  fault(
    'a charge without a receipt',
    CHARGE,
    "keep_receipt('CHARGED', counts, request.generation, buckets)",
    '',
  ),
  fault(
    'a trip without a receipt',
    CHARGE,
    "keep_receipt('TRIPPED', counts_of(over), request.generation, '-')",
    '',
  ),
  fault('several that count as one', CHARGE, 'recipients = recipients', 'recipients = 1'),
  fault(
    'several of which one has a receipt',
    CHARGE,
    'keep_receipts(receipt_key, ordinals,',
    'keep_receipts(receipt_key, { ordinal },',
  ),
  fault(
    'several that are charged though one was given back',
    CHARGE,
    'tripped = tripped or each',
    'tripped = tripped',
  ),
  fault('not-after ignored', CHARGE, 'tripped or now > tonumber(ARGV[2])', 'tripped'),
  fault(
    'a settled recipient that is charged',
    CHARGE,
    'if receipt then',
    "if receipt and not string.match(receipt, '^SETTLED') then",
  ),
  fault('a restriction ignored', CHARGE, 'if scope and meter.stopped', 'if false'),
  fault('a block of all mail ignored', CHARGE, "if scope == 'all'", 'if false'),
  fault(
    'a domain above that covers without its subdomains',
    ACCEPTED,
    "(at == 1 or string.match(entry, '^%l*s'))",
    'true',
  ),
  fault(
    'a domain above that covers nothing',
    ACCEPTED,
    "(at == 1 or string.match(entry, '^%l*s'))",
    'at == 1',
  ),
  fault(
    'a first would-be trip told each time',
    CHARGE,
    'local first_would_trip = 0',
    'local first_would_trip = 1',
  ),
  fault('a new list of domains ignored', CHARGE, 'tenant[2] ~= ARGV[3]', 'false'),
  fault(
    'a deferring limit that restricts',
    CHARGE,
    "if not over then return reply('DEFER', deferring) end",
    'over = over or deferring request.over = over',
  ),
  fault(
    'a null sender that restricts',
    CHARGE,
    "if not meter.restricts then return reply('FULL', zero or over or deferring) end",
    '',
  ),
  fault(
    'a restricted tenant with all of its null sender’s allowance',
    CHARGE,
    'default_limits, probation, scope)',
    'default_limits, probation, false)',
  ),
  fault(
    'a null sender’s allowance that nobody hears of when it is full',
    COUNTING,
    'level_of(request.percents, limit.used, limit.count)',
    "math.min(level_of(request.percents, limit.used, limit.count), request.meter.letter == 'n' and 95 or 100)",
  ),
  fault('a limit of 0 that restricts', COUNTING, 'limit.count == 0', 'false'),
  {
    what: 'a trip not in the same script',
    edits: [{ file: COUNTING, find: WRITE_TRIP, replace: '' }],
    StoreClass: TripsLater,
  },
  fault(
    'a recipient that trips and is counted',
    CHARGE,
    "  return reply('TRIPPED', over)",
    `
  for at, limit in ipairs(limits) do
    redis.call('HSET', usage_key, request.fields[at + 1], adjusted(limit.ring, limit.newest, limit.used, limit.newest, 1))
  end
  return reply('TRIPPED', over)`,
  ),
  fault(
    'monitor that counts nothing',
    CHARGE,
    "if not dry then\n  redis.call('HSET', usage_key, unpack(rings))",
    "if not dry and enforcing then\n  redis.call('HSET', usage_key, unpack(rings))",
  ),
  fault(
    'a refund without a receipt check',
    REFUND,
    'for at, ordinal in ipairs(ARGV) do\n',
    `
for at, ordinal in ipairs(ARGV) do
  for _, field in ipairs(redis.call('HKEYS', usage_key)) do
    if string.match(field, '^[ufnh]%d+$') then
      local raw = rings[field] or redis.call('HGET', usage_key, field)
      give_back(usage_key, rings, string.format('%s:%.0f', field, (struct.unpack(HEAD, raw))))
    end
  end
`,
  ),
  fault(
    'a refund that ignores the generation',
    REFUND,
    'if charged_under and charged_under == generation then',
    'if charged_under then',
  ),
  fault(
    'a refund that can be repeated',
    REFUND,
    'if charged_under or not (entry or tripped) then',
    'if not (entry or tripped) then',
  ),
  fault(
    'a refund that leaves what is on its way unsettled',
    REFUND,
    'if charged_under or not (entry or tripped) then',
    'if charged_under then',
  ),
  fault(
    'a refund from the newest bucket',
    GIVE_BACK,
    'if newest and bucket',
    'bucket = newest if newest and bucket',
  ),
  fault(
    'a refund from a bucket that is used anew',
    GIVE_BACK,
    'bucket > newest - BUCKETS and count_in',
    'count_in',
  ),
  fault('an edge told each time', COUNTING, 'if now_open ~= text then', 'if false then'),
  fault(
    'an edge looked for one recipient late',
    COUNTING,
    '>= limit.count * lowest',
    '> limit.count * lowest',
  ),
  fault(
    'an edge that only the next one ends',
    COUNTING,
    "has_edges = request.warned ~= ''",
    'has_edges = false',
  ),
  fault(
    'an edge told by the recipient before',
    EDGES,
    'used * 100 < count',
    '(used + 1) * 100 < count',
  ),
  fault(
    'an edge that another meter ends',
    COUNTING,
    'if is_ours and edge.percent',
    'if edge.percent',
  ),
  fault(
    'an edge of a clock far ahead that stays open',
    EDGES,
    'math.abs(now - edge.raised)',
    'now - edge.raised',
  ),
  fault('an edge that never ends', COUNTING, 'edge.percent > (levels[edge.field] or 0)', 'false'),
  fault('a lift that leaves edges open', WINDOWS, 'do end_edge(', 'do (function() end)('),
  fault('a probation without an end', PROBATION, 'now < tonumber(ends)', 'true'),
  fault(
    'a probation that is not looked at',
    CHARGE,
    'default_limits, probation, scope)',
    'default_limits, false, scope)',
  ),
  fault('temporary limits without an end', TEMPORARY, 'if now < ', 'if 0 < '),
  fault('temporary limits that end a day late', TEMPORARY, '719469', '719468'),
  fault(
    'temporary limits that are not looked at',
    CHARGE,
    'limits_in_force(meter, temporary or',
    'limits_in_force(meter, false or',
  ),
  fault('a probation that allows more', LIMITS, 'limit.count < limits[at].count', 'true'),
  fault(
    'a lift that leaves the probation',
    LIFT,
    'if ends_probation and not probation then',
    'if false then',
  ),
  fault(
    'a trip that raises no event',
    COUNTING,
    "raise_event(tenant_key, random, 'restricted', {",
    "(function() return '-' end)({",
  ),
  fault('a lift that keeps the usage', LIFT, "ARGV[3] ~= '1'", 'false'),
  fault('a lift that never keeps the usage', LIFT, "ARGV[3] ~= '1'", 'true'),
  fault(
    'a lift without a new generation',
    WINDOWS,
    "redis.call('HSET', usage_key, 'generation', new_token(random))",
    '',
  ),
]

useRedis()

describe('the model test', () => {
  it('finds nothing where nothing is planted', async () => {
    const allowance = await Allowance.create({}, { scripts: FEW_HOLDS })
    await fc.assert(ledgerFollowsModel(allowance), { numRuns: 30, seed: SEED })
  })

  findsEach(LEDGER_FAULTS)

  it('says where a fault cannot be planted any more', () => {
    const edit = { file: CHARGE, find: 'no such line', replace: '' }
    assert.throws(() => plant([edit]), /charge\.lua holds 0 times, and not once:\nno such line/)
    assert.throws(() => plant([{ ...edit, find: 'limit' }]), /charge\.lua holds \d+ times/)
  })
})

const RECIPIENT_FAULTS: readonly Fault[] = [
  fault(
    'a refund on undefined status after the final dot',
    RECIPIENTS,
    "status !== 'rejected'",
    "status !== undefined && status !== 'rejected'",
  ),
  fault('an end of DATA that is not looked at', RECIPIENTS, 'Boolean(end) &&', ''),
  fault('a refusal overlooked', RECIPIENTS, "status !== 'rejected'", 'true'),
  fault('a deferral overlooked', RECIPIENTS, "status !== 'deferred'", 'true'),
  fault('an answer to RCPT overlooked', RECIPIENTS, "result.action === 'accept'", 'true'),
  fault('a recipient taken out overlooked', RECIPIENTS, '!missing.has(recipient)', 'true'),
  fault('others put in overlooked', RECIPIENTS, 'added.length > 0 &&', 'false &&'),
]

/** For every end of a transaction: given back is what was certainly not taken, and nothing else. */
function settlesAll({
  mayBeAccepted,
  compareRecipients,
}: typeof recipients): fc.IProperty<unknown> {
  const recipient = fc.record({
    action: fc.constantFrom('accept', 'accept', 'reject', 'tempfail'),
    end: fc.constantFrom('stays', 'stays', 'taken out', 'replaced'),
  })
  return fc.property(
    fc.array(recipient, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    fc.constantFrom(undefined, 'accepted', 'rejected', 'deferred'),
    (recipients, endOfData, status) => {
      const address = (at: number): string => `r${at}@far.example`
      const addressed = (text: string): HarakaTransaction['rcpt_to'][number] => ({
        ...{ address: text, isNull: () => false, format: () => `<${text}>` },
      })
      const passed = recipients.map((_, at) => addressed(address(at)))
      const left = recipients.flatMap(({ action, end }, at) => {
        if (action !== 'accept' || end === 'taken out') return []
        return [end === 'replaced' ? addressed(`other${at}@far.example`) : passed[at]]
      })
      const transaction = {
        ...(endOfData && { data_post_start: 1 }),
        ...(status !== undefined && { msg_status: status }),
        rcpt_to: left,
        results: {
          get: () => ({
            recipient: recipients.map(({ action }, at) => ({ action, address: address(at) })),
          }),
        },
      } as unknown as HarakaTransaction
      const settle = mayBeAccepted(transaction, compareRecipients(transaction, passed))
      const taken = passed.map((each, rank) =>
        settle({
          tenant: 'contoso',
          meter: 'unregistered',
          ordinal: rank + 1,
          recipient: each,
          rank,
          state: 'counted',
          passes: true,
          sender: SENDER,
          signatures: [],
        }),
      )

      const certainlyNot = !endOfData || status === 'rejected' || status === 'deferred'
      const anyReplaced = recipients.some(
        ({ action, end }) => action === 'accept' && end === 'replaced',
      )
      const expected = recipients.map(
        ({ action, end }) =>
          !certainlyNot && action === 'accept' && (end === 'stays' || anyReplaced),
      )
      assert.deepEqual(taken, expected)
    },
  )
}

const SENDER = { domain: '', connector: '', ip: '' }

describe('the property of the settlement', () => {
  it('holds', () => {
    fc.assert(settlesAll(recipients), { numRuns: 1000 })
  })

  for (const { what, edits } of RECIPIENT_FAULTS) {
    it(`finds ${what}`, () => {
      const source = plant(edits).get(RECIPIENTS)!
      const { failed, errorInstance } = fc.check(settlesAll(compile(source)), {
        numRuns: 1000,
        seed: SEED,
      })
      assert.ok(failed, 'not found')
      if (!(errorInstance instanceof assert.AssertionError)) throw errorInstance
    })
  }
})

function compile(source: string): typeof recipients {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  const context = { exports: {}, require: () => ({ grouped }) }
  vm.runInNewContext(outputText, context)
  return context.exports as typeof recipients
}
