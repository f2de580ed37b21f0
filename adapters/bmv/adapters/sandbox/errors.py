"""Errors of transactions in the words that nodes use for them, since clients match on those."""

from bmv.adapters.sandbox.jsonrpc import Json

TRANSACTION = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "MaxLoadedAccountsDataSizeExceeded": "Transaction exceeded max loaded accounts data size cap",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "SignatureFailure": "Transaction did not pass signature verification",
}
INSTRUCTION = {
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "IncorrectProgramId": "incorrect program id for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "MissingRequiredSignature": "missing required signature for instruction",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "ProgramFailedToComplete": "Program failed to complete",
    "UninitializedAccount": "instruction requires an initialized account",
}


def in_words(error: Json) -> str:
    """Return a transaction's error as text.

    >>> in_words({"InstructionError": [1, {"Custom": 1}]})
    'Error processing Instruction 1: custom program error: 0x1'
    """
    if isinstance(error, str):
        return TRANSACTION.get(error, error)
    if isinstance(error, dict) and "InstructionError" in error:
        index, reason = error["InstructionError"]
        return f"Error processing Instruction {index}: {reason_in_words(reason)}"
    if isinstance(error, dict) and "InsufficientFundsForRent" in error:
        index = error["InsufficientFundsForRent"]["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    return str(error)


def reason_in_words(reason: Json) -> str:
    """Return an instruction's error as text."""
    if isinstance(reason, dict):
        return f"custom program error: {reason['Custom']:#x}" if "Custom" in reason else str(reason)
    return INSTRUCTION.get(reason, str(reason))
