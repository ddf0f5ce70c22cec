"""The audit log in words: what was done, by whom, from where."""

from __future__ import annotations

from optimus.audit import AuditAction, AuditEntry
from optimus.ui.text import count

GROUPS = {
    "auth": "Signing in",
    "admin": "Administration",
    "memory": "Memories",
    "settings": "Settings",
    "data": "Personal data",
    "store": "The store",
    "audit": "The log itself",
}
TITLES = {
    AuditAction.ADMIN_CREATED: "Admin account made",
    AuditAction.SIGNED_IN: "Signed in",
    AuditAction.SIGN_IN_FAILED: "Sign-in failed",
    AuditAction.SETUP_FAILED: "Wrong set-up code",
    AuditAction.LOCKED_OUT: "Too many failures, has to wait",
    AuditAction.SIGNED_OUT: "Signed out",
    AuditAction.SESSION_ENDED: "Session ended",
    AuditAction.PASSWORD_CHANGED: "Password changed",
    AuditAction.PASSWORD_CHANGE_FAILED: "Password change failed",
    AuditAction.PASSWORD_CHOSEN: "Password chosen after a code",
    AuditAction.REGISTERED: "Own account made",
    AuditAction.PROOF_FAILED: "Wrong password before a grave act",
    AuditAction.DENIED: "Reached for a page without the right",
    AuditAction.USER_CREATED: "User added",
    AuditAction.ROLE_CHANGE: "Role changed",
    AuditAction.USER_LOCKED: "Account locked",
    AuditAction.USER_UNLOCKED: "Account unlocked",
    AuditAction.SESSIONS_ENDED: "Signed out everywhere",
    AuditAction.PASSWORD_RESET: "New sign-in code made",
    AuditAction.SETTING_CHANGE: "System setting changed",
    AuditAction.MASTER_KEY_CHANGE: "Master key changed",
    AuditAction.RETIRED_KEYS_DESTROYED: "Retired master keys destroyed",
    AuditAction.NOT_DONE: "Failed after all",
    AuditAction.EXPORT: "Data downloaded",
    AuditAction.IMPORT: "Data imported",
    AuditAction.BACKUP: "Backup made",
    AuditAction.RESTORE: "Backup put back",
    AuditAction.ERASURE: "Account erased",
    AuditAction.PREFERENCE_CHANGE: "Own settings changed",
    AuditAction.MODEL_CONNECTED: "Model connected",
    AuditAction.MODEL_REMOVED: "Model connection removed",
    AuditAction.MEMORY_CREATED: "Memory added",
    AuditAction.MEMORY_CONFIRMED: "Memory confirmed",
    AuditAction.MEMORY_REPLACED: "Memory replaced",
    AuditAction.MEMORY_EDITED: "Memory edited",
    AuditAction.MEMORY_FORGOTTEN: "Memory deleted",
    AuditAction.MEMORY_RESTORED: "Memory brought back",
    AuditAction.MEMORY_UNDONE: "Change to a memory undone",
    AuditAction.MEMORY_SEARCHED: "Memories searched by the assistant",
    AuditAction.TOOL_REFUSED: "A use of memories by the assistant refused",
    AuditAction.MEMORY_PURGED: "Memory deleted for good from the bin",
    AuditAction.MEMORY_WITHDRAWN: "Messages deleted with what came from them",
    AuditAction.MEMORY_WITHHELD: "Chosen who never gets a memory",
    AuditAction.REEMBEDDED: "Memories prepared for another search model",
    AuditAction.REEMBEDDING_CANCELLED: "Preparing for another search model cancelled",
    AuditAction.STORE_REPAIRED: "Damage found or repaired",
    AuditAction.FOREIGN_RECORD: "The store gave out another account's record; it was not shown",
    AuditAction.LOG_CHECKED: "Log checked",
    AuditAction.LOG_EXPORTED: "Log exported",
}
_WORDS = {
    "path": {"set-up": "in the set-up", "terminal": "at the terminal"},
    "way": {"chat": "in a chat", "hand": "on the memory page", "assistant": "by a model, in an answer"},
}
_NOUNS = {"count": "session", "sessions_ended": "session", "messages": "message", "memories": "memory"}
_MARK_CHARS = 6


def title_of(action: str) -> str:
    """Return what was done, in words; an action that is not known by name is spelled out."""
    known = {each.value: title for each, title in TITLES.items()}
    return known.get(action) or action.partition(".")[2].replace("_", " ").capitalize()


def details_of(entry: AuditEntry) -> str:
    """Return the rest of what is known, in words."""
    told = [_detail(key, value) for key, value in entry.data.items()]
    return ", ".join(each for each in told if each)


def _detail(key: str, value: object) -> str:
    if key == "network":
        return f"network {str(value)[:_MARK_CHARS]}"
    if key == "browser":
        return str(value)
    if key in _NOUNS and isinstance(value, int):
        return count(value, _NOUNS[key])
    words = _WORDS.get(key, {})
    return words.get(str(value)) or f"{key.replace('_', ' ')} {value}"
