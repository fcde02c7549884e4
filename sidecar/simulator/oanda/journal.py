"""An account's transactions: numbered without gaps, never changed afterwards."""

from collections.abc import Sequence

from sidecar.simulator.oanda.stamps import Json, Now


class Journal:
    """All transactions of one account, oldest first."""

    def __init__(self, account_id: str, now: Now) -> None:
        self._account_id = account_id
        # 101-001-1234567-001: the third part is the user.
        self._user_id = int(account_id.split("-")[2])
        self.now = now
        self._transactions: list[Json] = []

    @property
    def last_id(self) -> int:
        """The id of the latest transaction; ids start at 1."""
        return len(self._transactions)

    def get(self, number: int) -> Json | None:
        """One transaction; `None` for an id that does not exist."""
        return self._transactions[number - 1] if 1 <= number <= self.last_id else None

    def between(self, first: int, last: int) -> Sequence[Json]:
        """The transactions from one id to another, both included."""
        return self._transactions[max(0, first - 1) : max(0, last)]

    def batch(self, request_id: str = "") -> "Batch":
        """Begin transactions that belong together."""
        return Batch(self, request_id)

    def write(self, kind: str, batch_id: int | None, request_id: str, fields: Json) -> Json:
        """Append one transaction; `None` as `batch_id` begins a batch."""
        number = self.last_id + 1
        transaction: Json = {
            "id": str(number),
            "accountID": self._account_id,
            "userID": self._user_id,
            "batchID": str(batch_id or number),
            **({"requestID": request_id} if request_id else {}),
            "time": self.now(),
            "type": kind,
            **{key: value for key, value in fields.items() if value is not None},
        }
        self._transactions.append(transaction)
        return transaction


class Batch:
    """Transactions that one request, or one event in the market, caused together."""

    def __init__(self, journal: Journal, request_id: str) -> None:
        self._journal = journal
        self._request_id = request_id
        self._ids: list[int] = []

    @property
    def next_id(self) -> int:
        """The id that the next transaction will have."""
        return self._journal.last_id + 1

    @property
    def ids(self) -> list[str]:
        """The ids of the transactions so far, as answers list them."""
        return [str(number) for number in self._ids]

    def add(self, kind: str, fields: Json) -> Json:
        """Append a transaction; fields that are `None` are left out."""
        first = self._ids[0] if self._ids else None
        self._ids.append(self.next_id)
        return self._journal.write(kind, first, self._request_id, fields)

    def answer(self, **transactions: Json | None) -> Json:
        """The body of an answer that tells these transactions; those that are `None` are left out."""
        told = {key: value for key, value in transactions.items() if value is not None}
        return {
            **told,
            "relatedTransactionIDs": self.ids,
            "lastTransactionID": str(self._journal.last_id),
        }
