import { type DescFile, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

/**
 * Finds files by what they declare. It covers the given files and all that they import, transitively, and does not
 * change once built.
 */
export class DescriptorIndex {
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();
  /** By the message that is extended; each message has an entry, so that a known one without extensions shows. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #serialized = new Map<DescFile, Uint8Array>();

  constructor(files: Iterable<DescFile>) {
    for (const root of files) {
      for (const file of withDependencies(root)) this.#addFile(file);
    }
  }

  /** The file with this name, as it would be imported: `google/protobuf/struct.proto`. */
  fileByName(name: string): DescFile | undefined {
    return this.#byName.get(name);
  }

  /**
   * The file that declares a symbol, by its full name without a leading dot: a service, method, message, field, oneof,
   * enum, enum value or extension. As in Protobuf, an enum's values are its siblings: `pkg.VALUE`, not `pkg.Enum.VALUE`.
   */
  fileOfSymbol(symbol: string): DescFile | undefined {
    return this.#bySymbol.get(symbol);
  }

  /** The file that declares the extension of a message by a field number. */
  fileOfExtension(message: string, fieldNumber: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(fieldNumber);
  }

  /** The numbers of all extensions of a message, ascending; `undefined` when there is no such message. */
  extensionNumbers(message: string): number[] | undefined {
    const byNumber = this.#extensions.get(message);
    return byNumber && [...byNumber.keys()].sort((a, b) => a - b);
  }

  /** A file and all that it imports, transitively, the file itself first, each as a `FileDescriptorProto` in bytes. */
  serialize(file: DescFile): Uint8Array[] {
    return [...withDependencies(file)].map((each) => {
      let bytes = this.#serialized.get(each);
      if (!bytes) {
        bytes = toBinary(FileDescriptorProtoSchema, each.proto);
        this.#serialized.set(each, bytes);
      }
      return bytes;
    });
  }

  // The compiler's own descriptors are walked, not the Desc types around them: those leave out map entries and the
  // oneofs of proto3 optional fields.
  #addFile(file: DescFile): void {
    const { name, package: scope, messageType, enumType, extension, service } = file.proto;
    if (this.#byName.has(name)) return;
    this.#byName.set(name, file);
    for (const message of messageType) this.#addMessage(file, scope, message);
    for (const each of enumType) this.#addEnum(file, scope, each);
    for (const each of extension) this.#addExtension(file, scope, each);
    for (const each of service) {
      const serviceName = this.#addSymbol(file, scope, each.name);
      for (const method of each.method) this.#addSymbol(file, serviceName, method.name);
    }
  }

  #addMessage(file: DescFile, scope: string, message: DescriptorProto): void {
    const name = this.#addSymbol(file, scope, message.name);
    this.#extensionsOf(name);
    for (const field of message.field) this.#addSymbol(file, name, field.name);
    for (const oneof of message.oneofDecl) this.#addSymbol(file, name, oneof.name);
    for (const nested of message.nestedType) this.#addMessage(file, name, nested);
    for (const nested of message.enumType) this.#addEnum(file, name, nested);
    for (const nested of message.extension) this.#addExtension(file, name, nested);
  }

  #addEnum(file: DescFile, scope: string, desc: EnumDescriptorProto): void {
    this.#addSymbol(file, scope, desc.name);
    for (const value of desc.value) this.#addSymbol(file, scope, value.name);
  }

  #addExtension(file: DescFile, scope: string, extension: FieldDescriptorProto): void {
    this.#addSymbol(file, scope, extension.name);
    const extendee = extension.extendee.replace(/^\./, '');
    this.#extensionsOf(extendee).set(extension.number, file);
  }

  #addSymbol(file: DescFile, scope: string, name: string): string {
    const symbol = scope === '' ? name : `${scope}.${name}`;
    this.#bySymbol.set(symbol, file);
    return symbol;
  }

  #extensionsOf(message: string): Map<number, DescFile> {
    let byNumber = this.#extensions.get(message);
    if (!byNumber) {
      byNumber = new Map();
      this.#extensions.set(message, byNumber);
    }
    return byNumber;
  }
}

function withDependencies(file: DescFile, seen = new Set<DescFile>()): Set<DescFile> {
  if (!seen.has(file)) {
    seen.add(file);
    for (const dependency of file.dependencies) withDependencies(dependency, seen);
  }
  return seen;
}
