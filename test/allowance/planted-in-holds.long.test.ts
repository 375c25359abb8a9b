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
  fault('holds without a bound', CHARGE, 'held + 1 > MOST_HOLDS', 'false'),
  fault('holds that are bounded in monitor', CHARGE, 'enforcing and held + 1', 'held + 1'),
  fault(
    'forwards of a restricted tenant that are held to be refused',
    CHARGE,
    "(holds and when_restricted == 'a')",
    '(holds)',
  ),
  fault(
    'a hold that the charge of its message leaves',
    SETTLE,
    "buckets ~= '' and buckets or '-')\n  end_holds()",
    "buckets ~= '' and buckets or '-')",
  ),
  fault(
    'a hold that the trip of its message leaves',
    SETTLE,
    "keep_receipts('TRIPPED', over, '-')\n  end_holds()",
    "keep_receipts('TRIPPED', over, '-')",
  ),
  fault('a message that is charged again', SETTLE, "if not entry or answer == 'HELD'", 'if true'),
  fault(
    'a message that is charged though it was given back',
    SETTLE,
    "elseif answer ~= 'SETTLED' then",
    "elseif answer == 'SETTLED' then left[#left + 1] = ordinals[first + at - 1] else",
  ),
  fault('a message without a receipt', SETTLE, 'keep_receipts(answer, tightest,', 'tostring('),
  fault('a message that counts one recipient', SETTLE, 'recipients = #left', 'recipients = 1'),
  fault('a message that comes too late', SETTLE, 'not dry and now > tonumber(ARGV[2])', 'false'),
  fault('a message of a blocked tenant', SETTLE, "if scope == 'all'", 'if false'),
  fault(
    'a message of a restricted tenant that passes',
    SETTLE,
    'if scope and not (forwarded',
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
  fault('a signature that proves one too many', SETTLE, '#left > MOST_PROVEN', '#left > 6'),
  fault('a signature that proves one too few', SETTLE, '#left > MOST_PROVEN', '#left > 4'),
  fault(
    'a second signature that is not looked at',
    SETTLE,
    'for at = 6, #KEYS do\n    if',
    'for at = 6, math.min(6, #KEYS) do\n    if',
  ),
  fault(
    'a signature that proves once',
    SETTLE,
    "'INCRBY', KEYS[at], #left",
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
    'not forwarded and tenant[4] and probation_at(tenant[4], now)',
    'false',
  ),
]

useRedis()

describe('the model test of holds', () => findsEach(FAULTS))
