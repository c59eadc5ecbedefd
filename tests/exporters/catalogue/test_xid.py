"""The XID catalogue."""

from exporters.catalogue.xid import BY_CODE, FATAL, XIDS


def test_codes_rise_and_stand_once():
    codes = [one.code for one in XIDS]
    assert codes == sorted(set(codes))


def test_a_gpu_that_fell_off_the_bus_or_corrupted_memory_is_fatal_and_a_bad_program_is_not():
    assert {48, 62, 64, 74, 79, 95, 119, 120} <= set(FATAL)
    assert not {13, 31, 43, 45, 63, 94, 154} & set(FATAL)


def test_what_is_fatal_asks_for_more_than_the_program():
    assert {BY_CODE[code].action for code in FATAL} == {"reset_gpu", "restart_host", "inspect"}
    assert not any(BY_CODE[code].kind in ("app", "info") for code in FATAL)
