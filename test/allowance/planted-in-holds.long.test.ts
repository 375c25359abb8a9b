import { describe } from 'node:test'
import { fault } from '../support/faults'
import { findsEach, type LedgerFault } from '../support/ledger-faults'
import { useRedis } from '../support/registry'

// As planted-faults.long.test.ts, for recipients that are held and messages that are there.

const CHARGE = 'src/allowance/lua/charge.lua'
const MESSAGE = 'src/allowance/lua/charge_message.lua'

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
    "(holds and forwards == 'a')",
    '(holds)',
  ),
  fault('holds while forwards are off', CHARGE, " and forwards ~= 'o'", ''),
  fault(
    'a hold that the charge of its message leaves',
    MESSAGE,
    'keep_receipts(receipt_key, left, entry)\n  end_holds()',
    'keep_receipts(receipt_key, left, entry)',
  ),
  fault(
    'a hold that the trip of its message leaves',
    MESSAGE,
    'end_holds()\n  for first',
    'for first',
  ),
  fault(
    'a hold that is ended by the trip of its message, and by a refund',
    MESSAGE,
    "redis.call('HDEL', receipt_key,",
    'tostring(',
  ),
  fault(
    'a message that trips without a receipt',
    MESSAGE,
    'keep_receipts(receipt_key, { TRIPPED_FIELD },',
    'type(',
  ),
  fault(
    'a message that is charged though it has tripped',
    MESSAGE,
    "not accepted and redis.call('HGET', receipt_key, TRIPPED_FIELD)",
    'false',
  ),
  fault(
    'a recipient that is charged though its message has tripped',
    CHARGE,
    'not dry and (tripped or now',
    'not dry and (now',
  ),
  fault(
    'temporary limits that a message does not look at',
    MESSAGE,
    'text and temporary_at(text, now)',
    'nil',
  ),
  fault(
    'temporary limits of another meter than the message’s',
    MESSAGE,
    'tenant[forwarded and 7 or 6]',
    'tenant[6]',
  ),
  fault('a message that is charged again', MESSAGE, "if not entry or answer == 'HELD'", 'if true'),
  fault(
    'a message that is charged though it was given back',
    MESSAGE,
    "elseif answer ~= 'SETTLED' then",
    "elseif answer == 'SETTLED' then left[#left + 1] = ordinals[at] else",
  ),
  fault('a message without a receipt', MESSAGE, 'keep_receipts(receipt_key, left,', 'type('),
  fault('a message that counts one recipient', MESSAGE, 'or #left\n', 'or 1\n'),
  fault('a message that comes too late', MESSAGE, 'not dry and now > tonumber(ARGV[2])', 'false'),
  fault('a message of a blocked tenant', MESSAGE, "if scope == 'all'", 'if false'),
  fault(
    'a message of a restricted tenant that passes',
    MESSAGE,
    'if scope and not accepted and not (forwarded',
    'if false and not (forwarded',
  ),
  fault(
    'a forward of a restricted tenant that passes',
    MESSAGE,
    "(forwarded and when_restricted == 'a')",
    '(forwarded)',
  ),
  fault(
    'a tenant that forwards restrict twice',
    MESSAGE,
    'if scope then return restricted() end\n  if dry',
    'if dry',
  ),
  fault(
    'a signature that proves one too many',
    MESSAGE,
    'recipients > MOST_PROVEN',
    'recipients > 6',
  ),
  fault(
    'a signature that proves one too few',
    MESSAGE,
    'recipients > MOST_PROVEN',
    'recipients > 4',
  ),
  fault(
    'a second signature that is not looked at',
    MESSAGE,
    'for at = 6, #KEYS do\n    if',
    'for at = 6, math.min(6, #KEYS) do\n    if',
  ),
  fault(
    'a signature that proves once',
    MESSAGE,
    "'INCRBY', KEYS[at], recipients",
    "'INCRBY', KEYS[at], 1",
  ),
  fault(
    'a forward of a tenant that has no allowance for them',
    MESSAGE,
    'if exhausted == 1 or not tenant[5] then',
    "tenant[5] = tenant[5] or '' if exhausted == 1 then",
  ),
  fault(
    'an unregistered sender that is registered by now',
    MESSAGE,
    'if is_accepted(',
    'if false and is_accepted(',
  ),
  fault(
    'a probation that allows all unregistered messages',
    MESSAGE,
    'meter.on_probation and tenant[4] and probation_at(tenant[4], now)',
    'false',
  ),
]

/** Of recipients that were accepted already. */
const LATE_FAULTS: readonly LedgerFault[] = [
  fault('one that counts once', MESSAGE, 'accepted and tonumber(accepted)', 'accepted and 1'),
  fault('one that a limit stops', MESSAGE, 'enforcing and not accepted and', 'enforcing and'),
  fault('one that a restriction stops', MESSAGE, 'if scope and not accepted', 'if scope'),
  fault(
    'one that a block stops',
    MESSAGE,
    "if scope == 'all' and not accepted",
    "if scope == 'all'",
  ),
  fault('one that restricts nobody', MESSAGE, 'if accepted and not dry', 'if false'),
  fault('one that restricts twice', MESSAGE, 'not zero and not scope and', 'not zero and'),
  fault(
    'one of the null sender that restricts',
    MESSAGE,
    'not scope and meter.restricts then',
    'not scope then',
  ),
  fault(
    'one that is counted again',
    MESSAGE,
    'keep_receipts(receipt_key, left, entry)',
    'type(entry)',
  ),
  fault(
    'one whose trip is another when it is asked again',
    MESSAGE,
    'late_receipt or receipt_entry',
    'receipt_entry',
  ),
]

useRedis()

describe('the model test of holds', () => findsEach(FAULTS))

describe('the model test of recipients that were accepted already', () => findsEach(LATE_FAULTS))
