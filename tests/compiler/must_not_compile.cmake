# Compiles SOURCE, which must fail, and looks for SENTENCE in the first line with an error.
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -I${INCLUDE} ${SOURCE}
                RESULT_VARIABLE status ERROR_VARIABLE output OUTPUT_VARIABLE output)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiled")
endif()
string(REGEX MATCH "[^\n]*error[^\n]*" first "${output}")
string(FIND "${first}" "${SENTENCE}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "the first error is\n  ${first}\nand not\n  ${SENTENCE}\nin\n${output}")
endif()
