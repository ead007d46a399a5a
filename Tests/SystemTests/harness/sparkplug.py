"""The payloads of Sparkplug B, made and read by Google's protobuf from a descriptor of the specification's fields."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto

# Field name, number, type; a type that is text is a message of this list, `*` before a type says repeated, and `?` puts the
# field into the union "value".
MESSAGES = {
    "Payload.Template.Parameter": [
        ("name", 1, "string"), ("type", 2, "uint32"), ("int_value", 3, "?uint32"), ("long_value", 4, "?uint64"),
        ("float_value", 5, "?float"), ("double_value", 6, "?double"), ("boolean_value", 7, "?bool"),
        ("string_value", 8, "?string"),
    ],
    "Payload.Template": [
        ("version", 1, "string"), ("metrics", 2, "*Payload.Metric"), ("parameters", 3, "*Payload.Template.Parameter"),
        ("template_ref", 4, "string"), ("is_definition", 5, "bool"),
    ],
    "Payload.DataSet.DataSetValue": [
        ("int_value", 1, "?uint32"), ("long_value", 2, "?uint64"), ("float_value", 3, "?float"),
        ("double_value", 4, "?double"), ("boolean_value", 5, "?bool"), ("string_value", 6, "?string"),
    ],
    "Payload.DataSet.Row": [("elements", 1, "*Payload.DataSet.DataSetValue")],
    "Payload.DataSet": [
        ("num_of_columns", 1, "uint64"), ("columns", 2, "*string"), ("types", 3, "*uint32"),
        ("rows", 4, "*Payload.DataSet.Row"),
    ],
    "Payload.PropertyValue": [
        ("type", 1, "uint32"), ("is_null", 2, "bool"), ("int_value", 3, "?uint32"), ("long_value", 4, "?uint64"),
        ("float_value", 5, "?float"), ("double_value", 6, "?double"), ("boolean_value", 7, "?bool"),
        ("string_value", 8, "?string"), ("propertyset_value", 9, "?Payload.PropertySet"),
        ("propertysets_value", 10, "?Payload.PropertySetList"),
    ],
    "Payload.PropertySet": [("keys", 1, "*string"), ("values", 2, "*Payload.PropertyValue")],
    "Payload.PropertySetList": [("propertyset", 1, "*Payload.PropertySet")],
    "Payload.MetaData": [
        ("is_multi_part", 1, "bool"), ("content_type", 2, "string"), ("size", 3, "uint64"), ("seq", 4, "uint64"),
        ("file_name", 5, "string"), ("file_type", 6, "string"), ("md5", 7, "string"), ("description", 8, "string"),
    ],
    "Payload.Metric": [
        ("name", 1, "string"), ("alias", 2, "uint64"), ("timestamp", 3, "uint64"), ("datatype", 4, "uint32"),
        ("is_historical", 5, "bool"), ("is_transient", 6, "bool"), ("is_null", 7, "bool"),
        ("metadata", 8, "Payload.MetaData"), ("properties", 9, "Payload.PropertySet"), ("int_value", 10, "?uint32"),
        ("long_value", 11, "?uint64"), ("float_value", 12, "?float"), ("double_value", 13, "?double"),
        ("boolean_value", 14, "?bool"), ("string_value", 15, "?string"), ("bytes_value", 16, "?bytes"),
        ("dataset_value", 17, "?Payload.DataSet"), ("template_value", 18, "?Payload.Template"),
    ],
    "Payload": [
        ("timestamp", 1, "uint64"), ("metrics", 2, "*Payload.Metric"), ("seq", 3, "uint64"), ("uuid", 4, "string"),
        ("body", 5, "bytes"),
    ],
}


def _make_payload_class():
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="sparkplug", syntax="proto2")
    made = {}
    for name in sorted(MESSAGES, key=lambda name: name.count(".")):
        parent, _, own = name.rpartition(".")
        message = (made[parent].nested_type if parent else file.message_type).add(name=own)
        made[name] = message
        for field_name, number, kind in MESSAGES[name]:
            field = message.field.add(name=field_name, number=number, label=FIELD.LABEL_OPTIONAL)
            if kind.startswith("*"):
                field.label = FIELD.LABEL_REPEATED
            elif kind.startswith("?"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
                field.oneof_index = 0
            kind = kind.lstrip("*?")
            if kind in MESSAGES:
                field.type, field.type_name = FIELD.TYPE_MESSAGE, f".sparkplug.{kind}"
            else:
                field.type = getattr(FIELD, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug.Payload"))


Payload = _make_payload_class()

# Data types, by their names in the specification.
TYPES = {
    name: number
    for number, name in enumerate(
        "Unknown Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float Double Boolean String DateTime Text UUID DataSet Bytes "
        "File Template PropertySet PropertySetList Int8Array Int16Array Int32Array Int64Array UInt8Array UInt16Array "
        "UInt32Array UInt64Array FloatArray DoubleArray BooleanArray StringArray DateTimeArray".split()
    )
}
