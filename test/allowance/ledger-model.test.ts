import { testLedger } from './ledger-model'

testLedger(200)
