"""Every error Tocsin raises on purpose, in one tree.

TocsinError
├── UserError                   the user at the command line acts; exit code 2
│   ├── SettingsError           a setting is unknown or out of range
│   ├── AccessDenied            Kafka or Redis refuses who connects, or a right
│   ├── InputError              a file or folder cannot be used
│   │   ├── UnreadableInput     it does not exist, or may not be read
│   │   ├── NotAudio            it holds no audio that can be decoded
│   │   ├── EmptyAudio          it decodes to no sample, or to none that is finite
│   │   ├── UnusableAudio       it decodes, but is clipped, of another rate than its set, or far too short
│   │   ├── WrongLayout         names or folders are not those of the layout, or a class is empty
│   │   └── TooLittleSound      it is too short to train on or to measure with
│   ├── CaptureError            the microphone cannot be opened
│   ├── OutputError             a result cannot be written (no space, no permission)
│   ├── ExtraMissing            a package that an extra installs is not installed
│   └── ExportError             an exported model scores differently from the trained one
├── StackError                  the local Kafka or Redis cannot run; the user acts
│   ├── ComponentMissing        Java, Kafka or Redis is not available on this platform
│   ├── PortInUse               another program listens on a service's port
│   ├── StackBusy               another stack runs in the same data folder
│   ├── ServiceDied             a service ended by itself; carries the end of its log
│   └── WorkerRefused           a worker process ended with exit code 2; its own line of log says why
├── Unavailable                 a service does not answer; retried by itself
│   ├── BrokerUnavailable
│   ├── RedisUnavailable
│   └── StoreUnavailable        the store of model files
├── ContractError               a message breaks the contract; it goes to the dead letters
│   ├── MissingHeader · RepeatedHeader · MalformedHeader · HeaderFlood
│   ├── UnsupportedVersion · UnknownType · UnknownEncoding
│   ├── EmptyValue · TruncatedValue · OversizedValue · OversizedRecord
│   ├── WrongSampleRate · WrongChannelCount · WrongKey · SupersededSession
│   ├── DeviceNotAdmitted       too many devices without a manifest send at once
│   └── MalformedRecord         JSON that does not match its type
└── ModelRefused                an artefact is not loaded; the last good one continues
    ├── DigestMismatch · SizeMismatch · Unsigned · WrongSignature · Replayed
    ├── ManifestInvalid · FeatureMismatch · ShapeMismatch · GoldenMismatch
    ├── ScoreInverted · ScoreNotFinite · ScoringFailed
    ├── ExternalData · UnsafePath · ForbiddenOperator
    └── TooLarge · TooSlow · LoadStuck · LoadCrashed
"""

from __future__ import annotations

import errno
from pathlib import Path


class TocsinError(Exception):
    """Root of the tree. ``exit_code`` is what a command ends with; ``retriable`` says whether waiting may help."""

    exit_code = 1
    retriable = False


class UserError(TocsinError):
    """The user who gave the command can fix it."""

    exit_code = 2


class SettingsError(UserError):
    """A setting or option is unknown or out of its range."""


class AccessDenied(UserError):
    """Kafka or Redis refuses who connects, or denies a right: waiting does not help."""


class InputError(UserError):
    """A file or folder named by the user cannot be used."""


class UnreadableInput(InputError):
    """The path does not exist or may not be read."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> UnreadableInput:
        """The operating system's error on a path, with a hint."""
        hints = {errno.ENOENT: ": check its name", errno.EACCES: ": give yourself permission to read it"}
        return cls(f"{path} cannot be read: {error.strerror or error}{hints.get(error.errno or 0, '')}")


class NotAudio(InputError):
    """The file holds no audio or waveform that can be decoded."""


class EmptyAudio(InputError):
    """The file decodes to no sample, or to values that are not finite."""


class UnusableAudio(InputError):
    """The file decodes, but is clipped, of another rate than its set, or too short."""


class WrongLayout(InputError):
    """A name does not follow the layout, or a required class is empty."""


class TooLittleSound(InputError):
    """There is sound, but too little to train on or to measure with."""


class CaptureError(UserError):
    """The microphone cannot be opened."""


class OutputError(UserError):
    """A result cannot be written."""


class ExportError(UserError):
    """An exported model scores differently from the trained one; training again gives the same."""


class ExtraMissing(UserError):
    """A package that an extra installs is not installed."""


class StackError(TocsinError):
    """The local Kafka or Redis cannot run."""

    exit_code = 2


class ComponentMissing(StackError):
    """Java, Kafka or Redis are not available on this platform without the user's help."""


class PortInUse(StackError):
    """Another program listens on a port requested for the stack."""


class StackBusy(StackError):
    """Another stack runs in the same data folder."""


class ServiceDied(StackError):
    """A service of the stack ended by itself; the message carries the end of its log."""

    exit_code = 1


class WorkerRefused(StackError):
    """A worker process could not start; its own line of log says why."""


class Unavailable(TocsinError):
    """A service does not answer."""

    exit_code = 2
    retriable = True


class BrokerUnavailable(Unavailable):
    """Kafka does not answer."""


class RedisUnavailable(Unavailable):
    """Redis does not answer."""


class StoreUnavailable(Unavailable):
    """The store of model files does not answer."""


class ContractError(TocsinError):
    """A message breaks the contract; it becomes a dead letter and the stream goes on."""


class MissingHeader(ContractError):
    """A header that the type requires is missing."""


class RepeatedHeader(ContractError):
    """A header occurs twice, so that its value is ambiguous."""


class MalformedHeader(ContractError):
    """A header's value cannot be parsed, or is out of range."""


class HeaderFlood(ContractError):
    """More headers, or larger ones, than the contract allows."""


class UnsupportedVersion(ContractError):
    """The CloudEvents version or the version of the type is not one this build reads."""


class UnknownType(ContractError):
    """The event type does not belong on this topic."""


class UnknownEncoding(ContractError):
    """The content type names an encoding this build does not decode."""


class EmptyValue(ContractError):
    """The record has no value."""


class TruncatedValue(ContractError):
    """The value ends in the middle of a sample frame."""


class OversizedValue(ContractError):
    """The value is longer than the contract allows."""


class OversizedRecord(ContractError):
    """A record, or a batch of them, is too large to be read whole, or cannot be read at all."""


class WrongSampleRate(ContractError):
    """The sample rate is out of range, or not the session's."""


class WrongChannelCount(ContractError):
    """The channel count is out of range, or not the session's."""


class DeviceNotAdmitted(ContractError):
    """The device has no manifest, and too many others without one send at the same time."""


class WrongKey(ContractError):
    """The record's key does not match its content."""


class SupersededSession(ContractError):
    """A session of its device that began later is sending: two producers use one device id."""


class MalformedRecord(ContractError):
    """A JSON value does not match its type."""


class ModelRefused(TocsinError):
    """An artefact is not loaded."""


class DigestMismatch(ModelRefused):
    """The file's sha256 is not the one announced."""


class ManifestInvalid(ModelRefused):
    """The file has no manifest, or none that this build can read."""


class FeatureMismatch(ModelRefused):
    """The model needs features that this build does not compute."""


class ShapeMismatch(ModelRefused):
    """Inputs or outputs differ from the manifest."""


class GoldenMismatch(ModelRefused):
    """The model does not reproduce its own golden vectors."""


class SizeMismatch(ModelRefused):
    """The file's size is not the one announced."""


class Unsigned(ModelRefused):
    """The file is not signed, and a signature is required."""


class WrongSignature(ModelRefused):
    """The signature is not one of a trusted key over this file."""


class Replayed(ModelRefused):
    """The announcement is older than the one that applies."""


class ScoreInverted(ModelRefused):
    """The model scores anomalies below normal sound."""


class ScoreNotFinite(ModelRefused):
    """The model returned a score that is not finite."""


class ScoringFailed(ModelRefused):
    """The model raised an error, or returned something else than scores, while it scored."""


class ExternalData(ModelRefused):
    """The model refers to data outside its file."""


class UnsafePath(ModelRefused):
    """An address or name in the announcement or in the file leads out of the store."""


class ForbiddenOperator(ModelRefused):
    """The graph uses an operator, domain or nesting that is not allowed."""


class TooLarge(ModelRefused):
    """File, graph, tensors or memory are beyond the limits."""


class TooSlow(ModelRefused):
    """Scoring a window takes longer than allowed."""


class LoadStuck(ModelRefused):
    """Loading it did not end within the time allowed."""


class LoadCrashed(ModelRefused):
    """The process that checked it crashed."""


def refusal_named(name: str, message: str) -> ModelRefused:
    """The refusal of a class that another process names; :class:`LoadCrashed` where there is no such class."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, ModelRefused):
        return kind(message)
    return LoadCrashed(f"refused with an unknown error class: {name[:100]!r}")
