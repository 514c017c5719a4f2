# In this folder, and in a virtual environment where the system's Python asks for one:
# pip install grpcio grpcio-tools
# python -m grpc_tools.protoc -I ../../proto --python_out=. --grpc_python_out=. fountain/sequence/v1/sequence.proto
# python python_grpcio.py [host:port]
import sys
import uuid

import grpc
from fountain.sequence.v1 import sequence_pb2 as pb
from fountain.sequence.v1.sequence_pb2_grpc import SequenceServiceStub

with grpc.insecure_channel(sys.argv[1] if len(sys.argv) > 1 else "localhost:8080") as channel:
    client = SequenceServiceStub(channel)
    sequence = {"scope": "python", "element_type": pb.ELEMENT_TYPE_SCRIPT}
    size = client.GetSequence(pb.GetSequenceRequest(**sequence), timeout=10).size
    # the same request_id on a repetition, which then changes nothing
    request = pb.GenerateRequest(**sequence, element_id=size + 1, request_id=str(uuid.uuid4()))
    made = client.Generate(request, timeout=10)
    print(f"element {made.element.element_id} has number {made.sequence_number}")
