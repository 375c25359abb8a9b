import { describe } from 'node:test'
import { fault } from '../support/faults'
import { findsEach, type LedgerFault } from '../support/ledger-faults'
import { useRedis } from '../support/registry'

// As planted-faults.test.ts, for what happens to recipients that are held and to messages that are there.

const CHARGE = 'src/allowance/lua/charge.lua'
const SETTLE = 'src/allowance/lua/settle.lua'

const FAULTS: readonly LedgerFault[] = [
  fault('a hold that counts', CHARGE, 'if holds then', 'if false then'),
  fault('a hold without a receipt', CHARGE, "keep_receipt('HELD',", 'tostring('),
  fault('holds without a bound', CHARGE, 'held + recipients > math', 'false and math'),
  fault('holds that are bounded in monitor', CHARGE, 'enforcing and held +', 'held +'),
  fault(
    'holds that keep several away that come alone',
    CHARGE,
    'math.max(MOST_HOLDS, recipients)',
    'MOST_HOLDS',
  ),
  fault(
    'forwards of a restricted tenant that are held to be refused',
    CHARGE,
    "(holds and when_restricted == 'a')",
    '(holds)',
  ),
  fault(
    'a hold that the charge of its message leaves',
    SETTLE,
    "buckets ~= '' and buckets or '-'))\n  end_holds()",
    "buckets ~= '' and buckets or '-'))",
  ),
  fault(
    'a hold that the trip of its message leaves',
    SETTLE,
    'end_holds()\n  for first',
    'for first',
  ),
  fault(
    'a hold that is ended by the trip of its message, and by a refund',
    SETTLE,
    "redis.call('HDEL', KEYS[4],",
    'tostring(',
  ),
  fault(
    'a message that trips without a receipt',
    SETTLE,
    'keep_receipts({ TRIPPED_FIELD },',
    'type(',
  ),
  fault(
    'a message that is charged though it has tripped',
    SETTLE,
    "not taken and redis.call('HGET', KEYS[4], TRIPPED_FIELD)",
    'false',
  ),
  fault(
    'a recipient that is charged though its message has tripped',
    CHARGE,
    'not dry and (tripped or now',
    'not dry and (now',
  ),
  fault('a message that is charged again', SETTLE, "if not entry or answer == 'HELD'", 'if true'),
  fault(
    'a message that is charged though it was given back',
    SETTLE,
    "elseif answer ~= 'SETTLED' then",
    "elseif answer == 'SETTLED' then left[#left + 1] = ordinals[at] else",
  ),
  fault('a message without a receipt', SETTLE, 'keep_receipts(left,', 'tostring('),
  fault('a message that counts one recipient', SETTLE, 'or #left\n', 'or 1\n'),
  fault('a message that comes too late', SETTLE, 'not dry and now > tonumber(ARGV[2])', 'false'),
  fault('a message of a blocked tenant', SETTLE, "if scope == 'all'", 'if false'),
  fault(
    'a message of a restricted tenant that passes',
    SETTLE,
    'if scope and not taken and not (forwarded',
    'if false and not (forwarded',
  ),
  fault(
    'a forward of a restricted tenant that passes',
    SETTLE,
    "(forwarded and when_restricted == 'a')",
    '(forwarded)',
  ),
  fault(
    'a tenant that forwards restrict twice',
    SETTLE,
    'if scope then return restricted() end\n  if dry',
    'if dry',
  ),
  fault(
    'a signature that proves one too many',
    SETTLE,
    'recipients > MOST_PROVEN',
    'recipients > 6',
  ),
  fault(
    'a signature that proves one too few',
    SETTLE,
    'recipients > MOST_PROVEN',
    'recipients > 4',
  ),
  fault(
    'a second signature that is not looked at',
    SETTLE,
    'for at = 6, #KEYS do\n    if',
    'for at = 6, math.min(6, #KEYS) do\n    if',
  ),
  fault(
    'a signature that proves once',
    SETTLE,
    "'INCRBY', KEYS[at], recipients",
    "'INCRBY', KEYS[at], 1",
  ),
  fault(
    'a forward of a tenant that has no allowance for them',
    SETTLE,
    'if exhausted == 1 or not tenant[5] then',
    "tenant[5] = tenant[5] or '' if exhausted == 1 then",
  ),
  fault(
    'an unregistered sender that is registered by now',
    SETTLE,
    'if entry and (at == 1',
    'if false and (at == 1',
  ),
  fault(
    'a probation that allows all unregistered messages',
    SETTLE,
    "meter == 'u' and tenant[4] and probation_at(tenant[4], now)",
    'false',
  ),
]

/** Of recipients that have been taken already. */
const LATE_FAULTS: readonly LedgerFault[] = [
  fault('one that counts once', SETTLE, 'taken and tonumber(taken)', 'taken and 1'),
  fault('one that a limit stops', SETTLE, 'enforcing and not taken and', 'enforcing and'),
  fault('one that a restriction stops', SETTLE, 'if scope and not taken', 'if scope'),
  fault('one that a block stops', SETTLE, "if scope == 'all' and not taken", "if scope == 'all'"),
  fault('one that restricts nobody', SETTLE, 'if taken and not dry', 'if false'),
  fault('one that restricts twice', SETTLE, 'not zero and not scope and', 'not zero and'),
  fault(
    'one of the null sender that restricts',
    SETTLE,
    "not scope and meter ~= 'n' then",
    'not scope then',
  ),
  fault('one that is counted again', SETTLE, 'keep_receipts(left, late_receipt or', 'type('),
  fault(
    'one whose trip is another when it is asked again',
    SETTLE,
    'late_receipt or receipt_entry',
    'receipt_entry',
  ),
]

useRedis()

describe('the model test of holds', () => findsEach(FAULTS))

describe('the model test of recipients that have been taken already', () => findsEach(LATE_FAULTS))
