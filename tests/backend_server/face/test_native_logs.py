import os

from backend_server.face.native_logs import filtered_native_logs


def test_chatter_is_dropped_and_errors_are_passed_on(capfd):
    with filtered_native_logs():
        os.write(2, b"W0000 00:00:1 7 inference_feedback_manager.cc:114] Feedback manager\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"E0000 00:00:1 7 graph.cc:9] out of memory\nTraceback\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "E0000 00:00:1 7 graph.cc:9] out of memory\nTraceback\nafter\n"
